//! The head that `docs/new-head.md` builds: fake where text and picture, each mapped into one space, are not alike.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::heads::graph::affine;
use crate::heads::{
    Dropout, Head, Init, Inputs, LossTerm, Memory, Modalities, Noise, Output, Sizes, StepOutput,
    Training, cosine,
};
use crate::options::options;

options! {
    /// Configuration of [`Example`].
    pub struct ExampleConfig in "head" {
        /// width of the space in which text and picture are compared
        width: usize = 32, range 1..=8192;
        /// what the likeness of real posts counts in the loss
        likeness: f64 = 0.5, range 0.0..=1000.0;
        /// share of values that are dropped while training
        dropout: f64 = 0.5, range 0.0..=0.95;
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Example {
    text: Linear,
    image: Linear,
    classifier: Linear,
    dropout: Dropout,
    #[module(skip)]
    likeness: f64,
}

impl Head for Example {
    type Config = ExampleConfig;

    const NAME: &'static str = "example";
    const ABOUT: &'static str = "text and picture in one space, and how far they are alike there";
    const EXTRAS: &'static [&'static str] = &["likeness"];

    fn encoders(_config: &ExampleConfig) -> Vec<&'static str> {
        vec!["bert", "resnet"]
    }

    fn can_score(_config: &ExampleConfig, modalities: Modalities) -> bool {
        modalities == Modalities::BOTH
    }

    fn needs_both(_config: &ExampleConfig) -> Option<&'static str> {
        Some("head `example` compares text and picture of every post")
    }

    fn training(_config: &ExampleConfig) -> Training {
        Training::adam(1e-3, 64, 20)
    }

    fn new(config: &ExampleConfig, sizes: &Sizes, init: &mut Init) -> Self {
        Self {
            text: init.linear(sizes.bert, config.width),
            image: init.linear(sizes.resnet, config.width),
            classifier: init.linear(2 * config.width + 1, 2),
            dropout: Dropout::new(config.dropout, 0),
            likeness: config.likeness,
        }
    }

    fn forward(&self, inputs: Inputs, noise: Option<Noise>) -> Output {
        let (logits, likeness) = self.both(&inputs, noise);
        Output::plain(logits, vec![likeness])
    }

    fn step(
        &self,
        _step: &'static str,
        inputs: Inputs,
        noise: Noise,
        _memory: &mut Memory,
    ) -> Option<StepOutput> {
        let (logits, likeness) = self.both(&inputs, Some(noise));
        let labels = &inputs.targets().labels;
        let real: Vec<_> = labels.iter().map(|&label| 1.0 - label as f32).collect();
        let real = Tensor::<1>::from_floats(real.as_slice(), &likeness.device());
        let unlike = ((likeness.neg() + 1.0) * real).mean();
        let loss = LossTerm::new("unlike", self.likeness, unlike);
        Some(StepOutput::of(logits, vec![loss]))
    }
}

impl Example {
    /// Logits `[B, C]`, and the cosine of text and picture `[B]`.
    fn both(&self, inputs: &Inputs, noise: Option<Noise>) -> (Tensor<2>, Tensor<1>) {
        let text = affine(inputs.last_layer(), &self.text); // [B, D]
        let image = affine(inputs.resnet(), &self.image);
        let likeness = cosine(text.clone(), image.clone());
        let both = Tensor::cat(vec![text, image], 1);
        let both = self.dropout.forward(relu(both), noise);
        let all = Tensor::cat(vec![both, likeness.clone().unsqueeze_dim(1)], 1);
        (affine(all, &self.classifier), likeness)
    }
}
