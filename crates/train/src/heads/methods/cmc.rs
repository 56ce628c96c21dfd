//! CMC: two networks teach each other by contrast, then are fused. Wei et al., *Cross-Modal Knowledge Distillation in
//! Multi-Modal Fake News Detection*, ICASSP 2022.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, softmax};
use strum::VariantNames;

use crate::heads::graph::{Against, Compared, affine};
use crate::heads::losses::plain_cross_entropy;
use crate::heads::{
    Head, Init, Inputs, LossTerm, Memory, Modalities, Noise, Output, Sizes, Step, StepOutput,
    Training, Variant,
};
use crate::options::options;

/// τ
const TEMPERATURE: f32 = 0.07;
/// What the memory holds of either network: a row for each post that is trained on.
const BANKS: [&str; 2] = ["text", "image"];

options! {
    /// Configuration of [`Cmc`].
    pub struct CmcConfig in "head" {
        /// as released the projections stay as they start (35)
        variant: Variant = Variant::Paper, words Variant::VARIANTS;
        /// width of either network
        hidden: usize = 256, range 1..=8192;
        /// width in which they are compared
        projection: usize = 128, range 1..=8192;
        /// posts of the other class that a post is compared with, at most
        negatives: usize = 1500, range 1..=100_000;
        /// what the comparison counts in the loss
        contrast: f64 = 0.3, range 0.0..=1000.0;
    }
}

/// The network of one modality.
#[derive(Module, Debug)]
struct Single {
    hidden: Linear,
    out: Linear,
    projection: Linear,
}

impl Single {
    fn new(d_input: usize, config: &CmcConfig, init: &mut Init) -> Self {
        let projection = |linear: Linear| match config.variant {
            Variant::Paper => linear,
            Variant::Released => linear.no_grad(), // 35: in no optimiser
        };
        Self {
            hidden: init.linear(d_input, config.hidden),
            out: init.linear(config.hidden, 2),
            projection: projection(init.linear(config.hidden, config.projection)),
        }
    }

    fn hidden(&self, x: Tensor<2>) -> Tensor<2> {
        relu(affine(x, &self.hidden))
    }

    /// q: of length 1.  `[B, D]`
    fn query(&self, hidden: Tensor<2>) -> Tensor<2> {
        let q = affine(hidden, &self.projection);
        let length = q.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
        q / length
    }
}

/// The networks.
#[derive(Module, Debug)]
pub struct Cmc {
    text: Single,
    image: Single,
    fusion: Linear,
    #[module(skip)]
    negatives: usize,
    #[module(skip)]
    contrast: f64,
}

impl Head for Cmc {
    type Config = CmcConfig;

    const NAME: &'static str = "cmc";
    const ABOUT: &'static str =
        "CMC (ICASSP 2022): two networks teach each other by contrast, then are fused";
    const COUNTS_POSTS: bool = true;
    const EXTRAS: &'static [&'static str] = &["p_fake_text", "p_fake_image"];

    fn encoders(_config: &CmcConfig) -> Vec<&'static str> {
        vec!["bert", "resnet"]
    }

    fn can_score(_config: &CmcConfig, modalities: Modalities) -> bool {
        modalities == Modalities::BOTH
    }

    fn needs_both(_config: &CmcConfig) -> Option<&'static str> {
        Some("head `cmc` compares text and picture of every post")
    }

    fn training(_config: &CmcConfig) -> Training {
        Training::adam(1e-4, 64, 60)
    }

    fn stages(_config: &CmcConfig) -> Vec<Vec<Step>> {
        vec![vec![Step::new("teach").class(0.0)], vec![Step::new("fuse")]]
    }

    fn memory(config: &CmcConfig, sizes: &Sizes, init: &mut Init) -> Memory {
        let bound = (3.0 / config.projection as f32).sqrt();
        let mut bank = |name: &str| {
            let values = init.values(sizes.posts * config.projection, -bound, bound);
            (name.to_owned(), values)
        };
        Memory::of(BANKS.map(&mut bank))
    }

    fn new(config: &CmcConfig, sizes: &Sizes, init: &mut Init) -> Self {
        Self {
            text: Single::new(sizes.bert, config, init),
            image: Single::new(sizes.resnet, config, init),
            fusion: init.linear(2 * config.hidden, 2),
            negatives: config.negatives,
            contrast: config.contrast,
        }
    }

    fn forward(&self, inputs: Inputs, _noise: Option<Noise>) -> Output {
        let [text, image] = self.hidden(&inputs);
        let extras = self
            .judge(&text, &image)
            .map(|p| p.narrow(1, 1, 1).squeeze_dim(1));
        Output::plain(self.fuse(text, image), extras.to_vec())
    }

    fn step(
        &self,
        step: &'static str,
        inputs: Inputs,
        noise: Noise,
        memory: &mut Memory,
    ) -> Option<StepOutput> {
        let [text, image] = self.hidden(&inputs);
        Some(match step {
            "fuse" => StepOutput::of(self.fuse(text.detach(), image.detach()), Vec::new()),
            _ => self.teach(text, image, &inputs, (noise, memory)),
        })
    }

    fn score(&self, stage: usize, inputs: Inputs) -> Output {
        let output = self.forward(inputs.clone(), None);
        if stage > 0 {
            return output;
        }
        let [text, image] = self.hidden(&inputs);
        let logits = mean_of(self.judge(&text, &image));
        Output { logits, ..output }
    }
}

/// Logits that say what two judges say on average.
fn mean_of([text, image]: [Tensor<2>; 2]) -> Tensor<2> {
    ((text + image) / 2.0).log()
}

impl Cmc {
    /// h of both networks.  `[B, D]` each
    fn hidden(&self, inputs: &Inputs) -> [Tensor<2>; 2] {
        [
            self.text.hidden(inputs.last_layer()),
            self.image.hidden(inputs.resnet()),
        ]
    }

    /// Probabilities by each network.  `[B, C]` each
    fn judge(&self, text: &Tensor<2>, image: &Tensor<2>) -> [Tensor<2>; 2] {
        let of = |x: &Tensor<2>, single: &Single| softmax(affine(x.clone(), &single.out), 1);
        [of(text, &self.text), of(image, &self.image)]
    }

    fn fuse(&self, text: Tensor<2>, image: Tensor<2>) -> Tensor<2> {
        affine(Tensor::cat(vec![image, text], 1), &self.fusion)
    }

    /// Stage 1: each network by itself, and by contrast with the other.
    fn teach(
        &self,
        text: Tensor<2>,
        image: Tensor<2>,
        inputs: &Inputs,
        (noise, memory): (Noise, &mut Memory),
    ) -> StepOutput {
        let targets = inputs.targets();
        let own = |x: &Tensor<2>, single: &Single| {
            plain_cross_entropy(affine(x.clone(), &single.out), &targets.labels)
        };
        let losses = [own(&text, &self.text), own(&image, &self.image)];
        let logits = mean_of(self.judge(&text, &image)).detach();
        let queries = [self.text.query(text), self.image.query(image)];
        let rows = self.compared(inputs, noise);
        let mut contrast = |of: usize| {
            let query = queries[of].clone();
            // a post's picture is compared with texts, its text with pictures
            let compared = Compared {
                bank: memory.get(BANKS[1 - of]).expect("made with banks"),
                rows: &rows,
                temperature: TEMPERATURE,
            };
            let posts = self.posts(memory) as f32;
            let name = format!("scale_{}", BANKS[of]);
            // Z: N times the mean of the first batch, and that from then on
            let kept = memory.get(&name).map(|scale| scale[0]);
            let scale = kept.unwrap_or_else(|| posts * compared.mean_score(query.clone()));
            let kappa = (rows[0].len() - 1) as f32 / posts;
            let contrast = compared.contrast(query, Against { scale, kappa });
            memory.set(&name, vec![scale]);
            contrast
        };
        let contrast = contrast(1) + contrast(0);
        for (name, query) in BANKS.iter().zip(queries) {
            let bank = memory.get_mut(name).expect("made with banks");
            remember(bank, query.detach(), &targets.posts);
        }
        let [text, image] = losses;
        StepOutput::of(
            logits,
            vec![
                LossTerm::new("text", 1.0, text),
                LossTerm::new("image", 1.0, image),
                LossTerm::new("contrast", self.contrast, contrast),
            ],
        )
    }

    /// N: rows of a bank.
    fn posts(&self, memory: &Memory) -> usize {
        let width = self.text.projection.weight.val().dims()[1];
        memory.get(BANKS[0]).expect("made with banks").len() / width
    }

    /// Of each post its own row of the banks, and those of posts of the other class.
    fn compared(&self, inputs: &Inputs, noise: Noise) -> Vec<Vec<usize>> {
        let targets = inputs.targets();
        let [real, fake] = targets.classes.as_ref();
        let count = self.negatives.min(real.len()).min(fake.len());
        let others: Vec<_> = targets.labels.iter().map(|label| 1 - label).collect();
        let drawn = noise.draws(0, (*targets.classes).clone(), &others, count);
        let with_own = |(&own, drawn): (&usize, Vec<usize>)| [vec![own], drawn].concat();
        targets.posts.iter().zip(drawn).map(with_own).collect()
    }
}

/// Half of what is remembered of these posts becomes what was seen now.
fn remember(bank: &mut [f32], query: Tensor<2>, posts: &[usize]) {
    let width = query.dims()[1];
    let seen = query.into_data().convert::<f32>().try_into_vec::<f32>();
    let seen = seen.expect("converted to the type that is asked for");
    for (&post, seen) in posts.iter().zip(seen.chunks_exact(width)) {
        let row = &mut bank[post * width..][..width];
        for (old, new) in row.iter_mut().zip(seen) {
            *old = (*old + new) / 2.0;
        }
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        row.iter_mut().for_each(|value| *value /= length.max(1e-12));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::methods::made_up::{POSTS, SIZES, init, inputs};
    use burn::tensor::Device;

    #[test]
    fn a_post_is_compared_with_itself_and_with_different_posts_of_the_other_class() {
        let device = Device::flex();
        let compared = |negatives| {
            let config = CmcConfig {
                negatives,
                ..CmcConfig::default()
            };
            let head = Cmc::new(&config, &SIZES, &mut init(&device));
            head.compared(&inputs(&device), Noise::new(1, 1))
        };
        for (negatives, count) in [(3, 3), (1500, POSTS / 2)] {
            for (post, rows) in compared(negatives).into_iter().enumerate() {
                let (own, mut others) = (rows[0], rows[1..].to_vec());
                assert_eq!(own, post);
                others.sort_unstable();
                others.dedup();
                assert_eq!(others.len(), count);
                assert!(
                    others.iter().all(|other| other % 2 != post % 2),
                    "{post}: {others:?}"
                );
            }
        }
    }

    #[test]
    fn a_bank_takes_half_of_what_is_seen_and_keeps_its_length() {
        let device = Device::flex();
        let mut bank = vec![1.0, 0.0, 0.6, 0.8];
        let seen = Tensor::from_floats([[0.0, 1.0]], &device);
        remember(&mut bank, seen, &[0]);
        let half = 0.5f32.sqrt();
        assert!(
            (bank[0] - half).abs() < 1e-6 && (bank[1] - half).abs() < 1e-6,
            "{bank:?}"
        );
        assert_eq!(bank[2..], [0.6, 0.8]);
    }
}
