//! LIIMR: each modality judges, and the surer one silences the other's loss. Singhal et al., *Leveraging Intra and
//! Inter Modality Relationship for Multimodal Fake News Detection*, WWW Companion 2022.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, relu, softmax};
use strum::VariantNames;

use crate::heads::graph::affine;
use crate::heads::layers::gelu;
use crate::heads::losses::one_hot;
use crate::heads::{
    Conv, Dropout, Head, Init, Inputs, LayerNorm, LossTerm, Memory, Modalities, Noise, Output,
    Sizes, Step, StepOutput, Training, Variant,
};
use crate::options::options;

/// Tokens in a window, one convolution each.
const WINDOWS: [usize; 3] = [1, 2, 3];
/// What BERT's layers and the text drop, where anything is dropped at all.
const SMALL_DROPOUT: f64 = 0.1;
/// As BERT's layers have it.
const EPSILON: f64 = 1e-12;

options! {
    /// Configuration of [`Liimr`].
    pub struct LiimrConfig in "head" {
        /// as released the factor of the other's doubt is differentiated, too (30)
        variant: Variant = Variant::Paper, words Variant::VARIANTS;
        /// width of regions and of what each modality says, a multiple of the heads
        width: usize = 128, range 1..=8192;
        /// heads of the attention between regions
        heads: usize = 16, range 1..=256;
        /// hidden width behind that attention
        feed: usize = 2048, range 1..=8192;
        /// outputs of each convolution
        filters: usize = 512, range 1..=8192;
        /// β: power of a judge's doubt, with which it weighs the other's loss
        beta: f64 = 0.2, range 0.0..=10.0;
        /// share of values that either judge drops while training; with 0 nothing else is dropped either
        dropout: f64 = 0.4, range 0.0..=0.95;
    }
}

/// What the regions of a picture are made of: two views of the whole.
#[derive(Module, Debug)]
struct Regions {
    resnet: Linear,
    clip: Linear,
}

/// A layer of BERT over regions.
#[derive(Module, Debug)]
struct BertLayer {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    norm1: LayerNorm,
    linear1: Linear,
    linear2: Linear,
    norm2: LayerNorm,
    weights_dropout: Dropout,
    output_dropout: Dropout,
    feed_dropout: Dropout,
    #[module(skip)]
    heads: usize,
}

impl BertLayer {
    fn new(config: &LiimrConfig, dropout: f64, init: &mut Init) -> Self {
        let width = config.width;
        Self {
            query: init.linear(width, width),
            key: init.linear(width, width),
            value: init.linear(width, width),
            output: init.linear(width, width),
            norm1: LayerNorm::new(width, EPSILON, init),
            linear1: init.linear(width, config.feed),
            linear2: init.linear(config.feed, width),
            norm2: LayerNorm::new(width, EPSILON, init),
            weights_dropout: Dropout::new(dropout, 0),
            output_dropout: Dropout::new(dropout, 1),
            feed_dropout: Dropout::new(dropout, 2),
            heads: config.heads,
        }
    }

    /// # Shapes
    /// - `x`, output: `[B, R, D]`
    fn forward(&self, x: Tensor<3>, noise: Option<Noise>) -> Tensor<3> {
        let [posts, regions, width] = x.dims();
        let shape = [posts, regions, width];
        let size = width / self.heads;
        let rows = x.reshape([posts * regions, width]);
        let cut = |layer: &Linear| -> Tensor<4> {
            let x = affine(rows.clone(), layer);
            x.reshape([posts, regions, self.heads, size])
                .swap_dims(1, 2)
        };
        let (query, key, value) = (cut(&self.query), cut(&self.key), cut(&self.value));
        let scores = query.matmul(key.swap_dims(2, 3)) / (size as f64).sqrt();
        let weights = self.weights_dropout.forward(softmax(scores, 3), noise);
        let mixed = weights.matmul(value).swap_dims(1, 2);
        let mixed = affine(mixed.reshape([posts * regions, width]), &self.output);
        let dropped = |x: Tensor<2>, dropout: &Dropout| -> Tensor<2> {
            let x: Tensor<3> = dropout.forward(x.reshape(shape), noise);
            x.reshape([posts * regions, width])
        };
        let x = self
            .norm1
            .forward(rows.clone() + dropped(mixed, &self.output_dropout));
        let fed = affine(gelu(affine(x.clone(), &self.linear1)), &self.linear2);
        let x = self.norm2.forward(x + dropped(fed, &self.feed_dropout));
        x.reshape(shape)
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Liimr {
    region: Regions,
    attention: BertLayer,
    image: Linear,
    conv1: Conv,
    conv2: Conv,
    conv3: Conv,
    mapping: Linear,
    text: Linear,
    windows_dropout: Dropout,
    text_dropout: Dropout,
    image_dropout: Dropout,
    #[module(skip)]
    beta: f64,
    #[module(skip)]
    variant: Variant,
}

/// What both judges say of a batch: logarithms of probabilities, `[B, C]` each, and the logits made of them.
struct Judged {
    text: Tensor<2>,
    image: Tensor<2>,
    logits: Tensor<2>,
}

impl Head for Liimr {
    type Config = LiimrConfig;

    const NAME: &'static str = "liimr";
    const ABOUT: &'static str =
        "LIIMR (WWW 2022): each modality judges, the surer one silences the other's loss";
    const EXTRAS: &'static [&'static str] = &["p_fake_text", "p_fake_image"];

    fn resolve(config: &LiimrConfig) -> Result<LiimrConfig, String> {
        match config.width % config.heads.max(1) {
            0 => Ok(config.clone()),
            _ => Err(format!(
                "`head.width` is {}; it has to be a multiple of `head.heads`, {}",
                config.width, config.heads
            )),
        }
    }

    fn encoders(_config: &LiimrConfig) -> Vec<&'static str> {
        vec!["tokens", "clip_image", "resnet"]
    }

    fn can_score(_config: &LiimrConfig, modalities: Modalities) -> bool {
        modalities == Modalities::BOTH
    }

    fn needs_both(_config: &LiimrConfig) -> Option<&'static str> {
        Some("head `liimr` has text and picture of every post judged")
    }

    fn training(_config: &LiimrConfig) -> Training {
        Training::adam(1e-4, 16, 30)
    }

    fn stages(_config: &LiimrConfig) -> Vec<Vec<Step>> {
        vec![vec![Step::new("all").class(0.0)]]
    }

    fn new(config: &LiimrConfig, sizes: &Sizes, init: &mut Init) -> Self {
        let small = if config.dropout > 0.0 {
            SMALL_DROPOUT
        } else {
            0.0
        };
        let (width, filters) = (config.width, config.filters);
        let [conv1, conv2, conv3] =
            WINDOWS.map(|window| Conv::new(window, sizes.tokens, filters, init));
        Self {
            region: Regions {
                resnet: init.linear(sizes.resnet, width),
                clip: init.linear(sizes.clip, width),
            },
            attention: BertLayer::new(config, small, init),
            image: init.linear(width, 2),
            conv1,
            conv2,
            conv3,
            mapping: init.linear(WINDOWS.len() * filters, width),
            text: init.linear(width, 2),
            windows_dropout: Dropout::new(small, 3),
            text_dropout: Dropout::new(config.dropout, 4),
            image_dropout: Dropout::new(config.dropout, 5),
            beta: config.beta,
            variant: config.variant,
        }
    }

    fn forward(&self, inputs: Inputs, noise: Option<Noise>) -> Output {
        let judged = self.judge(&inputs, noise);
        let p_fake = |x: Tensor<2>| x.exp().narrow(1, 1, 1).squeeze_dim(1);
        Output::plain(
            judged.logits,
            vec![p_fake(judged.text), p_fake(judged.image)],
        )
    }

    fn step(
        &self,
        _step: &'static str,
        inputs: Inputs,
        noise: Noise,
        _memory: &mut Memory,
    ) -> Option<StepOutput> {
        let logits = self.judge(&inputs, Some(noise)).logits;
        let labels = &inputs.targets().labels;
        let own = logits.clone() * one_hot(labels, 2, &logits.device());
        let loss = LossTerm::new("judges", 1.0, own.sum() / -(labels.len() as f64));
        Some(StepOutput::of(logits, vec![loss]))
    }
}

impl Liimr {
    fn judge(&self, inputs: &Inputs, noise: Option<Noise>) -> Judged {
        let regions = vec![
            affine(inputs.resnet(), &self.region.resnet),
            affine(inputs.clip_image(), &self.region.clip),
        ];
        let regions = self.attention.forward(Tensor::stack(regions, 1), noise);
        let picture: Tensor<2> = regions.mean_dim(1).squeeze_dim(1);
        let picture = self.image_dropout.forward(unit(picture), noise);
        let image = log_softmax(affine(picture, &self.image), 1);
        let tokens = inputs.tokens();
        let convolutions = [&self.conv1, &self.conv2, &self.conv3];
        let windows = convolutions.map(|conv| relu(conv.largest(&tokens)));
        let windows = Tensor::cat(windows.to_vec(), 1);
        let windows = self.windows_dropout.forward(windows, noise);
        let text = self
            .text_dropout
            .forward(unit(affine(windows, &self.mapping)), noise);
        let text = log_softmax(affine(text, &self.text), 1);
        let logits = self.doubt(&text) * image.clone() + self.doubt(&image) * text.clone();
        Judged {
            text,
            image,
            logits,
        }
    }

    /// (1 − p)^β; 30: a constant, but as released.
    fn doubt(&self, judge: &Tensor<2>) -> Tensor<2> {
        let doubt = judge.clone().exp().neg() + 1.0;
        let doubt = match self.variant {
            Variant::Paper => doubt.detach(),
            Variant::Released => doubt,
        };
        doubt.clamp_min(1e-6).powf_scalar(self.beta)
    }
}

/// Of length 1.
fn unit(x: Tensor<2>) -> Tensor<2> {
    let length = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
    x / length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::methods::made_up::{POSTS, SIZES, init, inputs, numbers};
    use burn::tensor::Device;

    fn head(beta: f64, device: &Device) -> Liimr {
        let config = LiimrConfig {
            beta,
            width: 8,
            heads: 2,
            feed: 10,
            filters: 4,
            dropout: 0.0,
            ..LiimrConfig::default()
        };
        Liimr::new(&config, &SIZES, &mut init(device))
    }

    #[test]
    fn without_doubt_the_loss_is_that_of_both_judges() {
        let device = Device::flex();
        let head = head(0.0, &device);
        let inputs = inputs(&device);
        let judged = head.judge(&inputs, None);
        let step = head.step(
            "all",
            inputs.clone(),
            Noise::new(1, 1),
            &mut Memory::default(),
        );
        let loss = numbers(step.expect("each batch has it").losses[0].value.clone())[0];
        let labels = &inputs.targets().labels;
        let own = (judged.text + judged.image) * one_hot(labels, 2, &device);
        let expected = -numbers(own.sum())[0] / POSTS as f32;
        assert!((loss - expected).abs() < 1e-5, "{loss} {expected}");
    }

    #[test]
    fn a_judges_gradient_is_weighed_by_the_others_doubt_post_by_post() {
        let device = Device::flex().autodiff();
        let head = head(0.7, &device);
        let inputs = inputs(&device);
        let labels = inputs.targets().labels.clone();
        let resnet = inputs.resnet().require_grad();
        let with_resnet = || Inputs {
            resnet: Some(resnet.clone()),
            ..inputs.clone()
        };
        let own = |x: Tensor<2>| (x * one_hot(&labels, 2, &device)).sum_dim(1);
        let of = |loss: Tensor<1>| -> Tensor<2> {
            let gradients = loss.backward();
            let gradient = resnet
                .grad(&gradients)
                .expect("the picture has a part in it");
            gradient.clone()
        };
        let ours = of(own(head.judge(&with_resnet(), None).logits).sum());
        let judged = head.judge(&with_resnet(), None);
        let doubt = (own(judged.text.clone()).exp().neg() + 1.0)
            .powf_scalar(0.7)
            .inner();
        let alone = of(own(judged.image).sum());
        let difference = numbers((ours - alone.clone() * doubt).abs().max())[0];
        assert!(
            difference < 1e-5 * numbers(alone.abs().max())[0],
            "{difference}"
        );
    }
}
