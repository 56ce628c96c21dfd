//! Layer normalisation as PyTorch's: each post by itself.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Init;

/// Normalises a post's numbers, then scales and shifts each.
#[derive(Module, Debug)]
pub struct LayerNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    epsilon: f64,
}

impl LayerNorm {
    /// Weight 1, bias 0.
    pub fn new(d: usize, epsilon: f64, init: &Init) -> Self {
        Self {
            weight: init.constant([d], 1.0),
            bias: init.constant([d], 0.0),
            epsilon,
        }
    }

    /// Over the last axis, of any shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let last = D - 1;
        let centred = x.clone() - x.mean_dim(last);
        let variance = centred.clone().square().mean_dim(last);
        let normal = centred / (variance + self.epsilon).sqrt();
        normal * self.weight.val().unsqueeze() + self.bias.val().unsqueeze()
    }
}
