//! SAFE: fake where text and picture disagree. Zhou et al., *SAFE: Similarity-Aware Multi-Modal Fake News Detection*,
//! PAKDD 2020.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::pair::Pair;
use crate::heads::graph::affine;
use crate::heads::losses::disagreement;
use crate::heads::{
    Conv, Head, Init, Inputs, LossTerm, Memory, Modalities, Noise, Output, Sizes, Step, StepOutput,
    Training,
};
use crate::options::options;

/// What the cross-entropy of the logits counts.
const CLASS: f64 = 0.6;

options! {
    /// Configuration of [`Safe`].
    pub struct SafeConfig in "head" {
        /// width to which each token is reduced
        reduced: usize = 32, range 1..=8192;
        /// outputs of each convolution
        filters: usize = 128, range 1..=8192;
        /// hidden width of the picture
        image_hidden: usize = 256, range 1..=8192;
        /// width of either modality
        width: usize = 32, range 1..=8192;
        /// what the agreement of text and picture counts in the loss, beside 0.6 for the class
        agreement: f64 = 0.4, range 0.0..=1000.0;
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Safe {
    reduce: Linear,
    conv3: Conv,
    conv4: Conv,
    text: Linear,
    image: Pair,
    classifier: Linear,
    #[module(skip)]
    agreement: f64,
}

impl Head for Safe {
    type Config = SafeConfig;

    const NAME: &'static str = "safe";
    const ABOUT: &'static str = "SAFE (PAKDD 2020): fake where text and picture disagree";
    const EXTRAS: &'static [&'static str] = &["agreement"];

    fn encoders(_config: &SafeConfig) -> Vec<&'static str> {
        vec!["tokens", "resnet"]
    }

    fn can_score(_config: &SafeConfig, modalities: Modalities) -> bool {
        modalities == Modalities::BOTH
    }

    fn needs_both(_config: &SafeConfig) -> Option<&'static str> {
        Some("head `safe` compares text and picture of every post")
    }

    fn training(_config: &SafeConfig) -> Training {
        Training::adam(5e-4, 64, 60)
    }

    fn stages(_config: &SafeConfig) -> Vec<Vec<Step>> {
        vec![vec![Step::new("all").class(CLASS)]]
    }

    fn new(config: &SafeConfig, sizes: &Sizes, init: &mut Init) -> Self {
        let (reduced, filters, width) = (config.reduced, config.filters, config.width);
        Self {
            reduce: init.cut_normal(sizes.tokens, reduced),
            conv3: Conv::new(3, reduced, filters, init),
            conv4: Conv::new(4, reduced, filters, init),
            text: init.linear(2 * filters, width),
            image: Pair::new([sizes.resnet, config.image_hidden, width], init),
            classifier: init.cut_normal(2 * width, 2),
            agreement: config.agreement,
        }
    }

    fn forward(&self, inputs: Inputs, _noise: Option<Noise>) -> Output {
        let (logits, agreement) = self.both(&inputs);
        Output::plain(logits, vec![agreement])
    }

    fn step(
        &self,
        _step: &'static str,
        inputs: Inputs,
        _noise: Noise,
        _memory: &mut Memory,
    ) -> Option<StepOutput> {
        let (logits, agreement) = self.both(&inputs);
        let loss = disagreement(agreement, &inputs.targets().labels);
        let loss = LossTerm::new("agreement", self.agreement, loss);
        Some(StepOutput::of(logits, vec![loss]))
    }
}

impl Safe {
    /// Logits, and s: how far text and picture agree, from 0 to 1.
    fn both(&self, inputs: &Inputs) -> (Tensor<2>, Tensor<1>) {
        let tokens = inputs.tokens();
        let reduced = tokens.with(affine(tokens.rows.clone(), &self.reduce));
        let largest = |conv: &Conv| relu(conv.largest(&reduced));
        let text = Tensor::cat(vec![largest(&self.conv3), largest(&self.conv4)], 1);
        let text = affine(text, &self.text);
        let image = self.image.forward(inputs.resnet());
        let length = |x: &Tensor<2>| x.clone().square().sum_dim(1).sqrt();
        let product = (text.clone() * image.clone()).sum_dim(1);
        let cosine = product / (length(&text) * length(&image) + 1e-8);
        let agreement = (cosine + 1.0) / 2.0;
        let logits = affine(Tensor::cat(vec![text, image], 1), &self.classifier);
        (logits, agreement.squeeze_dim(1))
    }
}
