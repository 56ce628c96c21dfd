//! CAFE: the ambiguity between the modalities weighs what is seen across them against what each says. Chen et al.,
//! *Cross-modal Ambiguity Learning for Multimodal Fake News
//! Detection*, WWW 2022.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid, softplus};
use strum::VariantNames;

use super::pair::Pair;
use crate::heads::graph::affine;
use crate::heads::sequences::indices;
use crate::heads::{
    BatchNorm, Classifier, ClassifierKind, Conv, Dropout, Head, Init, Inputs, LossTerm, Memory,
    Modalities, Noise, Output, Projection, Sizes, Step, StepOutput, Tokens, Training, Variant,
    cosine,
};
use crate::options::options;

/// Tokens in a window, one convolution each.
const WINDOWS: [usize; 4] = [1, 2, 4, 8];
/// Real posts that the alignment needs: the partner of a mismatched pair is the third before.
const FEWEST: usize = 4;
/// Numbers of a posterior's mean.
const LATENT: usize = 2;

options! {
    /// Configuration of [`Cafe`].
    pub struct CafeConfig in "head" {
        /// as released the ambiguity is drawn while training (25)
        variant: Variant = Variant::Paper, words Variant::VARIANTS;
        /// outputs of each convolution
        filters: usize = 32, range 1..=8192;
        /// hidden width of an encoder's text
        text_hidden: usize = 64, range 1..=8192;
        /// hidden width of an encoder's picture
        image_hidden: usize = 256, range 1..=8192;
        /// width of an encoder
        width: usize = 128, range 1..=8192;
        /// width of the space in which the modalities are aligned
        shared: usize = 64, range 1..=8192;
        /// width of what each modality says
        branch: usize = 16, range 1..=8192;
        /// hidden width of the classifier
        hidden: usize = 64, range 1..=8192;
        /// share of values that the encoders drop while training
        dropout: f64 = 0.5, range 0.0..=0.95;
        /// the alignment's share of the learning rate
        align_rate: f64 = 1.0, range 0.0..=100.0;
    }
}

/// Text and picture, each by itself.
#[derive(Module, Debug)]
struct Encoder {
    conv1: Conv,
    norm1: BatchNorm,
    conv2: Conv,
    norm2: BatchNorm,
    conv4: Conv,
    norm4: BatchNorm,
    conv8: Conv,
    norm8: BatchNorm,
    text: Projection,
    image: Projection,
}

impl Encoder {
    /// `place`: of the first of its two dropouts.
    fn new(config: &CafeConfig, sizes: &Sizes, place: usize, init: &mut Init) -> Self {
        let [conv1, conv2, conv4, conv8] =
            WINDOWS.map(|window| Conv::new(window, sizes.tokens, config.filters, init));
        let [norm1, norm2, norm4, norm8] = WINDOWS.map(|_| BatchNorm::new(config.filters, init));
        let text = [
            WINDOWS.len() * config.filters,
            config.text_hidden,
            config.width,
        ];
        let image = [sizes.resnet, config.image_hidden, config.width];
        let drop = |place| Dropout::new(config.dropout, place);
        Self {
            conv1,
            norm1,
            conv2,
            norm2,
            conv4,
            norm4,
            conv8,
            norm8,
            text: Projection::new(text, drop(place), init),
            image: Projection::new(image, drop(place + 1), init),
        }
    }

    /// Text and picture.  `[B, D]` each
    fn forward(&self, tokens: &Tokens, image: Tensor<2>, noise: Option<Noise>) -> [Tensor<2>; 2] {
        let parts = [
            (&self.conv1, &self.norm1),
            (&self.conv2, &self.norm2),
            (&self.conv4, &self.norm4),
            (&self.conv8, &self.norm8),
        ];
        let largest = parts.map(|(conv, norm)| {
            let windows = conv.forward(tokens);
            relu(windows.with(norm.forward(windows.rows.clone())).max())
        });
        let text = Tensor::cat(largest.to_vec(), 1);
        [
            self.text.forward(text, noise),
            self.image.forward(image, noise),
        ]
    }
}

/// Text and picture in one space.
#[derive(Module, Debug)]
struct Align {
    encoder: Encoder,
    text: Projection,
    image: Projection,
}

impl Align {
    /// t' and v'.  `[B, D]` each
    fn forward(&self, tokens: &Tokens, image: Tensor<2>, noise: Option<Noise>) -> [Tensor<2>; 2] {
        let [text, image] = self.encoder.forward(tokens, image, noise);
        [
            self.text.forward(text, None),
            self.image.forward(image, None),
        ]
    }
}

/// What either modality leaves open, as a distribution.
#[derive(Module, Debug)]
struct Posterior {
    text: Pair,
    image: Pair,
}

impl Posterior {
    /// α: how far the two are apart, in ½ to 1; with noise by one sample of each (25).  `[B, 1]`
    fn ambiguity(&self, [text, image]: [Tensor<2>; 2], noise: Option<Noise>) -> Tensor<2> {
        let (text, image) = (self.text.forward(text), self.image.forward(image));
        let mean = |x: &Tensor<2>| x.clone().narrow(1, 0, LATENT);
        let deviation = |x: &Tensor<2>| softplus(x.clone().narrow(1, LATENT, LATENT), 1.0) + 1e-7;
        let text = [mean(&text), deviation(&text)];
        let image = [mean(&image), deviation(&image)];
        let apart = match noise {
            None => half(&text, &image) + half(&image, &text) - 1.0,
            Some(noise) => {
                let sample = |[mean, deviation]: &[Tensor<2>; 2], place| {
                    let normal = noise.normals(place, mean.dims(), &mean.device());
                    mean.clone() + deviation.clone() * normal
                };
                let (of_text, of_image) = (sample(&text, 4), sample(&image, 5));
                density(of_text.clone(), &text) - density(of_text, &image)
                    + density(of_image.clone(), &image)
                    - density(of_image, &text)
            }
        };
        sigmoid(apart.sum_dim(1) / 2.0)
    }
}

/// (σ² + Δ²) / 2σ'², of one distribution seen from another.
fn half([mean, deviation]: &[Tensor<2>; 2], [of, by]: &[Tensor<2>; 2]) -> Tensor<2> {
    let distance = (mean.clone() - of.clone()).square();
    (deviation.clone().square() + distance) / (by.clone().square() * 2.0)
}

/// Logarithm of a normal's density, without what is the same for all.
fn density(z: Tensor<2>, [mean, deviation]: &[Tensor<2>; 2]) -> Tensor<2> {
    let z = (z - mean.clone()) / deviation.clone();
    z.square() / -2.0 - deviation.clone().log()
}

/// What is seen across the modalities.
#[derive(Module, Debug)]
struct Cross {
    linear1: Linear,
    norm1: BatchNorm,
}

impl Cross {
    fn forward(&self, [text, image]: [Tensor<2>; 2]) -> Tensor<2> {
        let scale = (text.dims()[1] as f64).sqrt(); // 8 at a width of 64
        let scores: Tensor<3> = text.unsqueeze_dim::<3>(2) * image.unsqueeze_dim::<3>(1) / scale;
        // of a softmax the largest: 1 over the sum of the others' exponentials beside its own
        let largest = scores.clone().max_dim(2);
        let sum: Tensor<2> = (scores - largest).exp().sum_dim(2).squeeze_dim(2);
        relu(self.norm1.forward(affine(sum.recip(), &self.linear1)))
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Cafe {
    align: Align,
    encoder: Encoder,
    posterior: Posterior,
    text: Projection,
    image: Projection,
    cross: Cross,
    classifier: Classifier,
    #[module(skip)]
    variant: Variant,
}

impl Head for Cafe {
    type Config = CafeConfig;

    const NAME: &'static str = "cafe";
    const ABOUT: &'static str = "CAFE (WWW 2022): ambiguity weighs what is seen across the modalities against what each says";
    const EXTRAS: &'static [&'static str] = &["ambiguity"];

    fn encoders(_config: &CafeConfig) -> Vec<&'static str> {
        vec!["tokens", "resnet"]
    }

    fn can_score(_config: &CafeConfig, modalities: Modalities) -> bool {
        modalities == Modalities::BOTH
    }

    fn needs_both(_config: &CafeConfig) -> Option<&'static str> {
        Some("head `cafe` compares text and picture of every post")
    }

    fn training(_config: &CafeConfig) -> Training {
        Training::adam(1e-3, 64, 100)
    }

    fn stages(config: &CafeConfig) -> Vec<Vec<Step>> {
        let align = Step::new("align").class(0.0).rate(config.align_rate);
        vec![vec![align, Step::new("detect")]]
    }

    fn new(config: &CafeConfig, sizes: &Sizes, init: &mut Init) -> Self {
        let off = Dropout::new(0.0, 0);
        let map = |init: &mut Init, d_output| {
            Projection::new([config.width, config.width, d_output], off.clone(), init)
        };
        Self {
            align: Align {
                encoder: Encoder::new(config, sizes, 0, init),
                text: map(init, config.shared),
                image: map(init, config.shared),
            },
            encoder: Encoder::new(config, sizes, 2, init),
            posterior: Posterior {
                text: Pair::new([config.shared, config.shared, 2 * LATENT], init),
                image: Pair::new([config.shared, config.shared, 2 * LATENT], init),
            },
            text: map(init, config.branch),
            image: map(init, config.branch),
            cross: Cross {
                linear1: init.linear(config.shared, config.shared),
                norm1: BatchNorm::new(config.shared, init),
            },
            classifier: Classifier::new(
                ClassifierKind::Released,
                2 * config.branch + config.shared,
                config.hidden,
                init,
            ),
            variant: config.variant,
        }
    }

    fn forward(&self, inputs: Inputs, noise: Option<Noise>) -> Output {
        let (tokens, picture) = (inputs.tokens(), inputs.resnet());
        let aligned = self.align.forward(&tokens, picture.clone(), noise);
        let aligned = aligned.map(Tensor::detach);
        let sampled = noise.filter(|_| self.variant == Variant::Released);
        let alpha = self.posterior.ambiguity(aligned.clone(), sampled);
        let [text, image] = self.encoder.forward(&tokens, picture, noise);
        let (text, image) = (
            self.text.forward(text, None),
            self.image.forward(image, None),
        );
        let clear = alpha.clone().neg() + 1.0;
        let parts = vec![
            clear.clone() * text,
            clear * image,
            alpha.clone() * self.cross.forward(aligned),
        ];
        let logits = self.classifier.forward(Tensor::cat(parts, 1));
        Output::plain(logits, vec![alpha.squeeze_dim(1)])
    }

    fn step(
        &self,
        step: &'static str,
        inputs: Inputs,
        noise: Noise,
        _memory: &mut Memory,
    ) -> Option<StepOutput> {
        match step {
            "align" => self.alignment(&inputs, noise),
            _ => Some(self.forward(inputs, Some(noise)).into()),
        }
    }
}

impl Cafe {
    /// Of the real posts, text and picture are to be alike, and those of different ones not.
    fn alignment(&self, inputs: &Inputs, noise: Noise) -> Option<StepOutput> {
        let targets = inputs.targets();
        let is_real = |row: &usize| targets.labels[*row] == 0;
        let real: Vec<_> = (0..targets.labels.len()).filter(is_real).collect();
        if real.len() < FEWEST {
            return None;
        }
        let device = inputs.device();
        let of = |rows: &[usize]| indices(rows.iter().copied(), &device);
        let tokens = inputs.tokens().posts(&real);
        let picture = inputs.resnet().select(0, of(&real));
        let [text, image] = self.align.forward(&tokens, picture, Some(noise));
        let n = real.len();
        let partner = |i: usize| (i + n - 3) % n;
        let differ = |i: &usize| targets.pictures[real[*i]] != targets.pictures[real[partner(*i)]];
        let posts: Vec<_> = (0..n).filter(differ).collect();
        let partners: Vec<_> = posts.iter().map(|&i| partner(i)).collect();
        let alike = cosine(text.clone(), image.clone()).neg().sum() + n as f64;
        let sum = match posts.is_empty() {
            true => alike,
            false => {
                let (text, image) = (text.select(0, of(&posts)), image.select(0, of(&partners)));
                alike + relu(cosine(text, image)).sum()
            }
        };
        let loss = LossTerm::new("align", 1.0, sum / (n + posts.len()) as f64);
        Some(StepOutput {
            logits: None,
            losses: vec![loss],
            cuts: Vec::new(),
            trunk: None,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::heads::losses::plain_cross_entropy;
    use crate::heads::methods::made_up::{SIZES, init, inputs, normals, numbers};
    use crate::optim::AdamW;
    use crate::weights::{Weights, named};
    use burn::tensor::Device;

    fn head(device: &Device) -> Cafe {
        let config = CafeConfig {
            filters: 4,
            text_hidden: 8,
            image_hidden: 8,
            width: 8,
            shared: 6,
            branch: 4,
            hidden: 6,
            ..CafeConfig::default()
        };
        Cafe::new(&config, &SIZES, &mut init(device))
    }

    /// Names of what a step of the optimiser changed.
    fn changed(step: &'static str) -> Vec<String> {
        let device = Device::flex().autodiff();
        let head = head(&device);
        let before: Weights = named(&head);
        let inputs = inputs(&device);
        let labels = inputs.targets().labels.clone();
        let output = head.step(step, inputs, Noise::new(1, 1), &mut Memory::default());
        let output = output.unwrap();
        let loss = match output.logits {
            Some(logits) => plain_cross_entropy(logits, &labels),
            None => output.losses[0].value.clone(),
        };
        let head = AdamW::new(1e-3, 0.1, true).step(head, &mut [loss.backward()]);
        let after = named(&head);
        let is_other = |name: &&String| before[*name] != after[*name];
        after.keys().filter(is_other).cloned().collect()
    }

    #[test]
    fn each_step_leaves_the_others_weights_as_they_are() {
        let aligned = changed("align");
        assert!(aligned.len() > 20);
        assert!(
            aligned.iter().all(|name| name.starts_with("align.")),
            "{aligned:?}"
        );
        let detected = changed("detect");
        let (inside, outside): (Vec<_>, Vec<_>) =
            (detected.iter()).partition(|name| name.starts_with("align."));
        assert!(
            inside.iter().all(|name| name.contains("running_")),
            "{inside:?}"
        );
        assert!(!inside.is_empty() && outside.len() > 20);
    }

    #[test]
    fn what_is_alike_is_not_ambiguous_and_inference_draws_nothing() {
        let device = Device::flex();
        let head = head(&device);
        let side = normals::<2>(6, [3, SIZES.clip], &device);
        let alike = Posterior {
            text: head.posterior.text.clone(),
            image: head.posterior.text.clone(),
        };
        let alpha = numbers(alike.ambiguity([side.clone(), side.clone()], None));
        assert!(
            alpha.iter().all(|alpha| (alpha - 0.5).abs() < 1e-6),
            "{alpha:?}"
        );
        let alpha = numbers(head.posterior.ambiguity([side.clone(), side], None));
        assert!(alpha.iter().all(|&alpha| alpha > 0.5), "{alpha:?}");
        let logits = || numbers(head.forward(inputs(&device), None).logits);
        assert_eq!(logits(), logits());
    }

    #[test]
    fn too_few_real_posts_are_not_aligned() {
        let device = Device::flex().autodiff();
        let mut inputs = inputs(&device);
        inputs.targets.as_mut().unwrap().labels = vec![0, 1, 0, 1, 0, 1, 1, 1];
        let step = head(&device).step("align", inputs, Noise::new(1, 1), &mut Memory::default());
        assert!(step.is_none());
    }
}
