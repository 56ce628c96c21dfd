//! Clipping of the gradients to a global norm, as `torch.nn.utils.clip_grad_norm_`.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use crate::weights::gradient;

/// PyTorch adds it to the norm.
const EPSILON: f64 = 1e-6;

/// Scales the gradients of a module, each of which is in one of the containers, down so that their common norm is at
/// most `largest`, and gives the norm that they had. Nothing waits for the device.
///
/// # Shapes
/// - output: `[1]`; `None` where no weight has a gradient
pub fn clip<M: Module>(module: &M, gradients: &mut [Gradients], largest: f64) -> Option<Tensor<1>> {
    let mut sum = SumOfSquares {
        gradients,
        sum: None,
    };
    module.visit(&mut sum);
    let norm = sum.sum?.sqrt();
    let scale = ((norm.clone() + EPSILON).recip() * largest).clamp_max(1.0);
    module.visit(&mut Scale { gradients, scale });
    Some(norm)
}

struct SumOfSquares<'a> {
    gradients: &'a [Gradients],
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for SumOfSquares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = gradient(&param.val(), self.gradients) {
            let squares = gradient.square().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + squares,
                None => squares,
            });
        }
    }
}

struct Scale<'a> {
    gradients: &'a mut [Gradients],
    scale: Tensor<1>,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let weight = param.val();
        if !weight.is_require_grad() {
            return;
        }
        for gradients in &mut *self.gradients {
            if let Some(gradient) = weight.grad_remove(gradients) {
                let scaled = gradient * self.scale.clone().reshape([1; D]);
                weight.grad_replace(gradients, scaled);
            }
        }
    }
}
