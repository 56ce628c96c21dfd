//! A linear probe: how much of the answer lies in the features as they are.

use burn::module::Module;
use burn::nn::Linear;
use strum::VariantNames;

use super::concat;
use crate::heads::{
    Concat, Feature, Head, Init, Inputs, Modalities, Noise, Output, Pooling, Sizes,
};
use crate::options::options;

options! {
    /// Configuration of [`LinearProbe`].
    pub struct LinearConfig in "head" {
        /// the encoders whose features it reads
        features: Vec<Feature> = Feature::ALL.to_vec(), list Feature::VARIANTS;
        /// what becomes of BERT's layers
        pooling: Pooling = Pooling::Last, words concat::POOLINGS;
    }
}

/// One affine map of the standardised features.
#[derive(Module, Debug)]
pub struct LinearProbe {
    features: Concat,
    linear: Linear,
}

impl Head for LinearProbe {
    type Config = LinearConfig;

    const NAME: &'static str = "linear";
    const ABOUT: &'static str = "baseline: a linear probe of the standardised features";

    fn resolve(config: &LinearConfig) -> Result<LinearConfig, String> {
        concat::check(&config.features, config.pooling)?;
        Ok(config.clone())
    }

    fn encoders(config: &LinearConfig) -> Vec<&'static str> {
        Feature::encoders(&config.features)
    }

    fn can_score(config: &Self::Config, modalities: Modalities) -> bool {
        Feature::any(&config.features, modalities)
    }

    fn new(config: &LinearConfig, sizes: &Sizes, init: &mut Init) -> Self {
        let (features, width) = Concat::new(&config.features, config.pooling, sizes, init);
        Self {
            features,
            linear: init.linear(width, 2),
        }
    }

    fn forward(&self, inputs: Inputs, _noise: Option<Noise>) -> Output {
        let features = self.features.forward(&inputs);
        Output::of(self.linear.forward(features.clone()), features, &inputs)
    }
}
