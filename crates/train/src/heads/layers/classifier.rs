//! The classifier (Eq. 8). Difference 9: two layers in the paper, three with normalisation in the released code.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use serde::{Deserialize, Serialize};
use strum::VariantNames;

use super::init::Init;
use super::norm::BatchNorm;

/// 9: the classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ClassifierKind {
    /// Two layers.
    Paper,
    /// Three, with normalisation.
    Released,
}

/// Real or fake.
const CLASSES: usize = 2;

/// Logits of the two classes.
#[derive(Module, Debug)]
pub struct Classifier {
    linear1: Linear,
    norm1: Option<BatchNorm>,
    linear2: Linear,
    norm2: Option<BatchNorm>,
    linear3: Option<Linear>,
}

impl Classifier {
    /// Of either kind.
    pub fn new(kind: ClassifierKind, d_input: usize, d_hidden: usize, init: &mut Init) -> Self {
        let released = kind == ClassifierKind::Released;
        Self {
            linear1: init.linear(d_input, d_hidden),
            norm1: released.then(|| BatchNorm::new(d_hidden, init)),
            linear2: init.linear(d_hidden, if released { d_hidden } else { CLASSES }),
            norm2: released.then(|| BatchNorm::new(d_hidden, init)),
            linear3: released.then(|| init.linear(d_hidden, CLASSES)),
        }
    }

    /// # Shapes
    /// - `aggregate`: `[B, D]`
    /// - output: `[B, C]`
    pub fn forward(&self, aggregate: Tensor<2>) -> Tensor<2> {
        let x = relu(normalised(&self.norm1, self.linear1.forward(aggregate)));
        let x = self.linear2.forward(x);
        match &self.linear3 {
            Some(linear) => linear.forward(relu(normalised(&self.norm2, x))),
            None => x, // Eq. 8  [B, C]
        }
    }
}

fn normalised(norm: &Option<BatchNorm>, x: Tensor<2>) -> Tensor<2> {
    match norm {
        Some(norm) => norm.forward(x),
        None => x,
    }
}
