//! Two affine maps with something between them.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::heads::Init;
use crate::heads::graph::affine;

/// `[a→b, activation, b→c]`
#[derive(Module, Debug)]
pub struct Pair {
    linear1: Linear,
    linear2: Linear,
}

impl Pair {
    /// `widths`: input, hidden, output.
    pub fn new(widths: [usize; 3], init: &mut Init) -> Self {
        let [d_input, d_hidden, d_output] = widths;
        Self {
            linear1: init.linear(d_input, d_hidden),
            linear2: init.linear(d_hidden, d_output),
        }
    }

    /// With a ReLU between them.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.with(x, relu)
    }

    /// With that between them.
    pub fn with(&self, x: Tensor<2>, between: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        affine(between(affine(x, &self.linear1)), &self.linear2)
    }
}
