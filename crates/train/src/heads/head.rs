//! What a head is to the program around it: its name, its options, the features that it reads, and how it gets from
//! those to logits.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

use super::inputs::{Inputs, Sizes};
use super::layers::{Init, Noise};
use super::memory::Memory;
use super::modality_mask::Modalities;
use super::output::Output;
use super::step::{Step, StepOutput, Training};
use crate::options::Options;

/// A network over cached features. A new one is a file or folder beside this one and a line in `catalogue.rs`.
pub trait Head: Module + ModuleDisplay + 'static {
    /// Its section `[head]` of an experiment, without `kind`; an unknown field has to be an error.
    type Config: Options;

    /// The value of `head.kind`.
    const NAME: &'static str;
    /// What it is, in a line.
    const ABOUT: &'static str;
    /// Whether it starts from ResNet's own classification layer.
    const HAS_RESNET_LAYER: bool = false;
    /// Whether its sizes depend on how many posts it is trained on, and on their events.
    const COUNTS_POSTS: bool = false;
    /// Columns of the predictions that only this head has, in the order of [`Output::extras`].
    const EXTRAS: &'static [&'static str] = &[];

    /// Every option set; values that do not go together are an error that names them.
    fn resolve(config: &Self::Config) -> Result<Self::Config, String> {
        Ok(config.clone())
    }

    /// The encoders whose features it reads; no others are loaded.
    fn encoders(config: &Self::Config) -> Vec<&'static str>;

    /// The encoder, one of those, of whose features it reads what the encoder's own classification layer makes; the
    /// layer is left as it is.
    fn reads_logits_of(_config: &Self::Config) -> Option<&'static str> {
        None
    }

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

    /// What it is trained with where `[train]` does not say.
    fn training(_config: &Self::Config) -> Training {
        Training::PAPER
    }

    /// Why it cannot be trained on features and posts of these sizes, if so, and what to do.
    fn check(_config: &Self::Config, _sizes: &Sizes) -> Result<(), String> {
        Ok(())
    }

    /// What each batch is trained by, stage after stage; the epochs are shared evenly among the stages. The best epoch
    /// of a stage is where the next one starts.
    fn stages(_config: &Self::Config) -> Vec<Vec<Step>> {
        vec![vec![Step::new("all")]]
    }

    /// What it keeps from step to step, before the first one.
    fn memory(_config: &Self::Config, _sizes: &Sizes, _init: &mut Init) -> Memory {
        Memory::default()
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

    /// What the step of that name says about a batch, which has its `Inputs::targets`; `None` where the batch has
    /// nothing for this step.
    fn step(
        &self,
        _step: &'static str,
        inputs: Inputs,
        noise: Noise,
        _memory: &mut Memory,
    ) -> Option<StepOutput> {
        Some(self.forward(inputs, Some(noise)).into())
    }

    /// At inference, of a head that was trained up to this stage; for the last one it has to be what [`Head::forward`]
    /// says.
    fn score(&self, _stage: usize, inputs: Inputs) -> Output {
        self.forward(inputs, None)
    }
}
