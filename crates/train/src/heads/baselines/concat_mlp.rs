//! Features side by side into two layers: early fusion without experts, similarity or attention.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use serde::{Deserialize, Serialize};

use super::concat;
use crate::heads::range::within;
use crate::heads::{
    Concat, Dropout, Feature, Head, HeadOption, Init, Inputs, Modalities, Noise, Output, Pooling,
    Sizes,
};

/// Configuration of [`ConcatMlp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// What it reads.
    pub features: Vec<Feature>,
    /// What becomes of BERT's layers.
    pub pooling: Pooling,
    /// Width between the layers.
    pub hidden: usize,
    /// Share of values that are dropped between the layers while training.
    pub dropout: f64,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self {
            features: Feature::ALL.to_vec(),
            pooling: Pooling::Last,
            hidden: 256,
            dropout: 0.5,
        }
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
    const OPTIONS: &'static [HeadOption] = &[
        concat::FEATURES,
        concat::POOLING,
        HeadOption {
            name: "hidden",
            values: "1 to 8192",
            about: "width between the layers",
        },
        HeadOption {
            name: "dropout",
            values: "0 to 0.95",
            about: "share of values that are dropped between the layers while training",
        },
    ];

    fn resolve(config: &MlpConfig) -> Result<MlpConfig, String> {
        concat::check(&config.features, config.pooling)?;
        within("head.hidden", config.hidden, 1..=8192)?;
        within("head.dropout", config.dropout, 0.0..=0.95)?;
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
