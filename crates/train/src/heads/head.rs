//! What a head is to the program around it: its name, its options, the features that it reads, and how it gets from
//! those to logits.

use burn::module::Module;
use burn::tensor::Tensor;

use super::inputs::{Inputs, Sizes};
use super::layers::{Init, Noise};
use super::modality_mask::Modalities;
use super::output::Output;
use crate::options::Options;

/// A network over cached features. A new one is a file here and a line in `registry.rs`.
pub trait Head: Module + 'static {
    /// Its section `[head]` of an experiment, without `kind`; an unknown field has to be an error.
    type Config: Options;

    /// The value of `head.kind`.
    const NAME: &'static str;
    /// What it is, in a line.
    const ABOUT: &'static str;
    /// Whether it starts from ResNet's own classification layer.
    const HAS_RESNET_LAYER: bool = false;

    /// Every option set; values that do not go together are an error that names them.
    fn resolve(config: &Self::Config) -> Result<Self::Config, String> {
        Ok(config.clone())
    }

    /// The encoders whose features it reads; no others are loaded.
    fn encoders(config: &Self::Config) -> Vec<&'static str>;

    /// Whether a post that has only this can be scored.
    fn can_score(config: &Self::Config, modalities: Modalities) -> bool;

    /// Why it cannot do with posts that lack a modality, if so.
    fn needs_both(_config: &Self::Config) -> Option<&'static str> {
        None
    }

    /// What a user should know about these options.
    fn notes(_config: &Self::Config) -> Vec<String> {
        Vec::new()
    }

    /// First values for features of these sizes.
    fn new(config: &Self::Config, sizes: &Sizes, init: &mut Init) -> Self;

    /// With the classification layer that comes with ResNet's features in place of random values.
    ///
    /// # Shapes
    /// - `weight`: `[D, classes]`
    /// - `bias`: `[classes]`
    fn with_resnet_layer(self, _weight: Tensor<2>, _bias: Tensor<1>) -> Self {
        self
    }

    /// On an autodiff device as in training: statistics of the batch, and dropout where there is noise.
    ///
    /// # Shapes
    /// As [`Inputs`] and [`Output`] say.
    fn forward(&self, inputs: Inputs, noise: Option<Noise>) -> Output;
}
