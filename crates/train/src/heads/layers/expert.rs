//! Experts of one group (§3.1.2; Tang et al. 2020): two layers each, computed together as batched products.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::init::Init;
use super::init::bound;
use crate::heads::graph::expert_layers;

/// One affine map per expert.
#[derive(Module, Debug)]
pub struct ExpertLinear {
    weight: Param<Tensor<3>>,
    bias: Param<Tensor<3>>,
}

impl ExpertLinear {
    /// PyTorch's default for each expert.
    pub fn new(experts: usize, d: usize, init: &mut Init) -> Self {
        let bound = bound(d);
        Self {
            weight: init.uniform([experts, d, d], -bound, bound),
            bias: init.uniform([experts, 1, d], -bound, bound),
        }
    }
}

/// Experts that read the same stream.
#[derive(Module, Debug)]
pub struct Experts {
    linear1: ExpertLinear,
    linear2: ExpertLinear,
}

impl Experts {
    /// `experts` maps from `d` to `d` features.
    pub fn new(experts: usize, d: usize, init: &mut Init) -> Self {
        Self {
            linear1: ExpertLinear::new(experts, d, init),
            linear2: ExpertLinear::new(experts, d, init),
        }
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.linear1.weight.val().dims()[0]
    }

    /// # Shapes
    /// - `x`: `[B, D]`
    /// - output: `[E, B, D]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<3> {
        let [first, second] = [&self.linear1, &self.linear2];
        let weights = [&first.weight, &first.bias, &second.weight, &second.bias];
        expert_layers(x, weights.map(Param::val))
    }
}
