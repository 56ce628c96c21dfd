//! Step 4: what a modality's features become before the experts (difference 6: the paper does not mention it; as
//! released).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::dropout::{Dropout, Noise};
use super::init::Init;
use super::norm::BatchNorm;
use crate::heads::graph::affine;

/// Two layers with normalisation; dropout between them.
#[derive(Module, Debug)]
pub struct Projection {
    linear1: Linear,
    norm1: BatchNorm,
    dropout: Dropout,
    linear2: Linear,
    norm2: BatchNorm,
}

impl Projection {
    /// `widths`: input, hidden, output.
    pub fn new(widths: [usize; 3], dropout: Dropout, init: &mut Init) -> Self {
        let [d_input, d_hidden, d_output] = widths;
        Self {
            linear1: init.linear(d_input, d_hidden),
            norm1: BatchNorm::new(d_hidden, init),
            dropout,
            linear2: init.linear(d_hidden, d_output),
            norm2: BatchNorm::new(d_output, init),
        }
    }

    /// # Shapes
    /// - `x`: `[B, D_input]`
    /// - output: `[B, D_output]`
    pub fn forward(&self, x: Tensor<2>, noise: Option<Noise>) -> Tensor<2> {
        let x = relu(self.norm1.forward(affine(x, &self.linear1)));
        let x = self.dropout.forward(x, noise);
        relu(self.norm2.forward(affine(x, &self.linear2)))
    }
}

/// Step 6: the last two layers of a branch (difference 6: as released). The same two layers as a [`Projection`], with
/// dropout only in the ablation without experts.
pub type Mapping = Projection;
