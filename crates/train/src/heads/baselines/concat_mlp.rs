//! Features side by side into two layers: early fusion without experts, similarity or attention.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use strum::VariantNames;

use super::concat;
use crate::heads::{
    Concat, Dropout, Feature, Head, Init, Inputs, Modalities, Noise, Output, Pooling, Sizes,
};
use crate::options::options;

options! {
    /// Configuration of [`ConcatMlp`].
    pub struct MlpConfig in "head" {
        /// the encoders whose features it reads
        features: Vec<Feature> = Feature::ALL.to_vec(), list Feature::VARIANTS;
        /// what becomes of BERT's layers
        pooling: Pooling = Pooling::Last, words concat::POOLINGS;
        /// width between the layers
        hidden: usize = 256, range 1..=8192;
        /// share of values that are dropped between the layers while training
        dropout: f64 = 0.5, range 0.0..=0.95;
    }
}

/// Two affine maps of the standardised features, with ReLU and dropout between them.
#[derive(Module, Debug)]
pub struct ConcatMlp {
    features: Concat,
    linear1: Linear,
    dropout: Dropout,
    linear2: Linear,
}

impl Head for ConcatMlp {
    type Config = MlpConfig;

    const NAME: &'static str = "mlp";
    const ABOUT: &'static str = "baseline: two layers over the standardised features side by side";

    fn resolve(config: &MlpConfig) -> Result<MlpConfig, String> {
        concat::check(&config.features, config.pooling)?;
        Ok(config.clone())
    }

    fn encoders(config: &MlpConfig) -> Vec<&'static str> {
        Feature::encoders(&config.features)
    }

    fn can_score(config: &Self::Config, modalities: Modalities) -> bool {
        Feature::any(&config.features, modalities)
    }

    fn new(config: &MlpConfig, sizes: &Sizes, init: &mut Init) -> Self {
        let (features, width) = Concat::new(&config.features, config.pooling, sizes, init);
        Self {
            features,
            linear1: init.linear(width, config.hidden),
            dropout: Dropout::new(config.dropout, 0),
            linear2: init.linear(config.hidden, 2),
        }
    }

    fn forward(&self, inputs: Inputs, noise: Option<Noise>) -> Output {
        let features = self.features.forward(&inputs);
        let x = relu(self.linear1.forward(features.clone()));
        let logits = self.linear2.forward(self.dropout.forward(x, noise));
        Output::of(logits, features, &inputs)
    }
}
