//! MCAN: the picture attends to a second view of it, then to the text. Wu et al., *Multimodal Fusion with Co-Attention
//! Networks for Fake News Detection*, Findings of ACL 2021.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use strum::VariantNames;

use super::pair::Pair;
use crate::heads::graph::{affine, co_attention};
use crate::heads::{
    BatchNorm, Dropout, Head, Init, Inputs, LayerNorm, Modalities, Noise, Output, Sizes, Training,
    Variant,
};
use crate::options::options;

/// Layers, which are used twice: for the second view of the picture, and for the text.
const LAYERS: usize = 2;

options! {
    /// Configuration of [`Mcan`].
    pub struct McanConfig in "head" {
        /// as released numbers are cut into heads without being transposed (27)
        variant: Variant = Variant::Paper, words Variant::VARIANTS;
        /// numbers that attend to each other, a multiple of the heads
        width: usize = 256, range 1..=1024;
        /// heads of an attention
        heads: usize = 4, range 1..=64;
        /// hidden width behind an attention
        feed: usize = 2048, range 1..=8192;
        /// hidden width of the classifier
        hidden: usize = 35, range 1..=8192;
        /// share of values that are dropped while training
        dropout: f64 = 0.5, range 0.0..=0.95;
    }
}

/// What one encoder says.
#[derive(Module, Debug)]
struct Single {
    linear: Linear,
    norm: BatchNorm,
    dropout: Dropout,
}

impl Single {
    fn new(d_input: usize, config: &McanConfig, place: usize, init: &mut Init) -> Self {
        Self {
            linear: init.linear(d_input, config.width),
            norm: BatchNorm::new(config.width, init),
            dropout: Dropout::new(config.dropout, place),
        }
    }

    fn forward(&self, x: Tensor<2>, noise: Option<Noise>) -> Tensor<2> {
        let x = relu(affine(x, &self.linear));
        self.norm.forward(self.dropout.forward(x, noise))
    }
}

/// Each number of one vector attends to those of another.
#[derive(Module, Debug)]
struct Attention {
    query: Param<Tensor<1>>,
    key: Param<Tensor<1>>,
    value: Param<Tensor<1>>,
    output: Param<Tensor<1>>,
    norm1: LayerNorm,
    linear1: Linear,
    linear2: Linear,
    norm2: LayerNorm,
    weights_dropout: Dropout,
    output_dropout: Dropout,
    feed_dropout: Dropout,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    variant: Variant,
}

impl Attention {
    /// `place`: of the first of its three dropouts.
    fn new(config: &McanConfig, place: usize, init: &mut Init) -> Self {
        let width = config.width;
        let bound = 1.0 / (width as f32).sqrt();
        let drop = |i| Dropout::new(config.dropout, place + i);
        Self {
            query: init.uniform([width], -1.0, 1.0),
            key: init.uniform([width], -1.0, 1.0),
            value: init.uniform([width], -1.0, 1.0),
            output: init.uniform([width], -bound, bound),
            norm1: LayerNorm::new(width, 1e-5, init),
            linear1: init.linear(width, config.feed),
            linear2: init.linear(config.feed, width),
            norm2: LayerNorm::new(width, 1e-5, init),
            weights_dropout: drop(0),
            output_dropout: drop(1),
            feed_dropout: drop(2),
            heads: config.heads,
            variant: config.variant,
        }
    }

    /// # Shapes
    /// - `x`, `y`, output: `[B, D]`
    fn forward(&self, x: Tensor<2>, y: Tensor<2>, noise: Option<Noise>) -> Tensor<2> {
        let mixed = match self.variant {
            Variant::Paper => self.mix(x.clone(), y, noise),
            Variant::Released => self.mix_released(x.clone(), y, noise),
        };
        let u = self
            .norm1
            .forward(x + self.output_dropout.forward(mixed, noise));
        let fed = affine(relu(affine(u.clone(), &self.linear1)), &self.linear2);
        self.norm2
            .forward(u + self.feed_dropout.forward(fed, noise))
    }

    /// o: a token is one number, so that a head's products of queries and keys are x_i y_j times one number, and what
    /// it puts out is its mean of y times another.
    fn mix(&self, x: Tensor<2>, y: Tensor<2>, noise: Option<Noise>) -> Tensor<2> {
        let of_heads = |a: &Param<Tensor<1>>, b: &Param<Tensor<1>>| -> Tensor<1> {
            let products = (a.val() * b.val()).reshape([self.heads as i32, -1]);
            products.sum_dim(1).squeeze_dim(1) // [heads]
        };
        let size = (self.query.val().dims()[0] / self.heads) as f64;
        let scales = of_heads(&self.query, &self.key) / size.sqrt();
        let means = co_attention(x, y, scales, self.weights_dropout.dropped(noise));
        let out = of_heads(&self.value, &self.output).reshape([1, -1, 1]);
        (means * out).sum_dim(1).squeeze_dim(1)
    }

    /// 27: the projected tokens are cut into heads without being transposed, so that a head sees some numbers of all
    /// tokens' projections, one after the other, as its tokens.
    fn mix_released(&self, x: Tensor<2>, y: Tensor<2>, noise: Option<Noise>) -> Tensor<2> {
        let [posts, width] = x.dims();
        let size = width / self.heads;
        let cut = |x: Tensor<2>, weight: &Param<Tensor<1>>| -> Tensor<4> {
            let weight: Tensor<3> = weight.val().reshape([1, 1, -1]);
            (x.unsqueeze_dim::<3>(2) * weight).reshape([posts, self.heads, width, size])
        };
        let query = cut(x, &self.query);
        let (key, value) = (cut(y.clone(), &self.key), cut(y, &self.value));
        let scores = query.matmul(key.swap_dims(2, 3)) / 4.0;
        let weights = burn::tensor::activation::softmax(scores, 3);
        let weights = self.weights_dropout.forward(weights, noise);
        let mixed = weights.matmul(value).reshape([posts, width, width]);
        let output: Tensor<3> = self.output.val().reshape([1, 1, -1]);
        (mixed * output).sum_dim(2).squeeze_dim(2)
    }
}

/// Two views of a post attend to each other.
#[derive(Module, Debug)]
struct Layer {
    attention1: Attention,
    attention2: Attention,
    linear: Linear,
}

impl Layer {
    fn new(config: &McanConfig, place: usize, init: &mut Init) -> Self {
        Self {
            attention1: Attention::new(config, place, init),
            attention2: Attention::new(config, place + 3, init),
            linear: init.linear(2 * config.width, config.width),
        }
    }

    fn forward(&self, x: Tensor<2>, y: Tensor<2>, noise: Option<Noise>) -> Tensor<2> {
        let own = self.attention1.forward(x.clone(), y.clone(), noise);
        let other = self.attention2.forward(y, x, noise);
        affine(Tensor::cat(vec![own, other], 1), &self.linear)
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Mcan {
    text: Single,
    image: Single,
    second: Single,
    layers: Vec<Layer>,
    classifier: Pair,
    dropout: Dropout,
}

impl Head for Mcan {
    type Config = McanConfig;

    const NAME: &'static str = "mcan";
    const ABOUT: &'static str =
        "MCAN (ACL 2021): co-attention of the picture with a second view of it, then with the text";

    fn resolve(config: &McanConfig) -> Result<McanConfig, String> {
        match config.width % config.heads {
            0 => Ok(config.clone()),
            _ => Err(format!(
                "`head.width` is {}; it has to be a multiple of `head.heads`, {}",
                config.width, config.heads
            )),
        }
    }

    fn encoders(_config: &McanConfig) -> Vec<&'static str> {
        vec!["bert", "clip_image", "resnet"]
    }

    fn can_score(_config: &McanConfig, modalities: Modalities) -> bool {
        modalities == Modalities::BOTH
    }

    fn needs_both(_config: &McanConfig) -> Option<&'static str> {
        Some("in head `mcan` the picture attends to the text of every post")
    }

    fn training(_config: &McanConfig) -> Training {
        Training {
            clip_norm: 1.0,
            cosine: true,
            warmup_epochs: 10.0,
            patience: 10,
            ..Training::PAPER
        }
    }

    fn new(config: &McanConfig, sizes: &Sizes, init: &mut Init) -> Self {
        Self {
            text: Single::new(sizes.bert, config, 0, init),
            image: Single::new(sizes.resnet, config, 1, init),
            second: Single::new(sizes.clip, config, 2, init),
            layers: (0..LAYERS)
                .map(|layer| Layer::new(config, 10 * (layer + 1), init))
                .collect(),
            classifier: Pair::new([config.width, config.hidden, 2], init),
            dropout: Dropout::new(config.dropout, 3),
        }
    }

    fn forward(&self, inputs: Inputs, noise: Option<Noise>) -> Output {
        let views = [
            self.second.forward(inputs.clip_image(), noise),
            self.text.forward(inputs.last_layer(), noise),
        ];
        let mut x = self.image.forward(inputs.resnet(), noise);
        for (turn, y) in views.into_iter().enumerate() {
            let noise = noise.map(|noise| noise.later(turn));
            for layer in &self.layers {
                x = layer.forward(x, y.clone(), noise);
            }
        }
        let drop = |x| self.dropout.forward(relu(x), noise);
        Output::plain(self.classifier.with(x, drop), Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::methods::made_up::{POSTS, init, normals, numbers};
    use crate::heads::sequences::indices;
    use burn::tensor::Device;

    #[test]
    fn the_order_of_what_is_attended_to_counts_only_as_released() {
        let device = Device::flex();
        let moved = |variant| {
            let config = McanConfig {
                variant,
                width: 8,
                heads: 2,
                ..McanConfig::default()
            };
            let attention = Attention::new(&config, 0, &mut init(&device));
            let side = |place| normals::<2>(place, [POSTS, 8], &device);
            let (x, y) = (side(0), side(1));
            let other = y
                .clone()
                .select(1, indices([5, 0, 7, 2, 1, 6, 4, 3].into_iter(), &device));
            let mix = |y| match variant {
                Variant::Paper => attention.mix(x.clone(), y, None),
                Variant::Released => attention.mix_released(x.clone(), y, None),
            };
            let distance = (mix(y) - mix(other)).abs().max();
            numbers(distance)[0]
        };
        assert!(moved(Variant::Paper) < 1e-6, "{}", moved(Variant::Paper));
        assert!(
            moved(Variant::Released) > 1e-2,
            "{}",
            moved(Variant::Released)
        );
    }
}
