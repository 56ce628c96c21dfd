//! Sums of gradients, for steps on more posts than go through the network at once.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

/// Gradients of a module's weights, added to those that were gathered before.
pub(crate) fn add<M: Module>(
    module: &M,
    mut gathered: Vec<Gradients>,
    mut gradients: Vec<Gradients>,
) -> Vec<Gradients> {
    if gathered.is_empty() {
        return gradients;
    }
    module.visit(&mut Add {
        gathered: &mut gathered,
        gradients: &mut gradients,
    });
    gathered
}

struct Add<'a> {
    gathered: &'a mut [Gradients],
    gradients: &'a mut [Gradients],
}

impl ModuleVisitor for Add<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let weight = param.val();
        if !weight.is_require_grad() {
            return;
        }
        let all = self.gathered.iter_mut().chain(&mut *self.gradients);
        let parts = all.filter_map(|gradients| weight.grad_remove(gradients));
        if let Some(sum) = parts.reduce(|sum, part| sum + part) {
            weight.grad_replace(&mut self.gathered[0], sum);
        }
    }
}
