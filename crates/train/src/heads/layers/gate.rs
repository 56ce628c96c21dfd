//! Gates: how much a stream takes from each expert it may read.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use super::init::Init;
use crate::heads::graph::{GateWeights, mixture};

/// Softmax over experts by a linear map of the selector.
#[derive(Module, Debug)]
pub struct Gate {
    weight: Param<Tensor<2>>,
    bias: Option<Param<Tensor<1>>>,
}

impl Gate {
    /// For `experts` experts and a selector of `d` features.
    pub fn new(d: usize, experts: usize, init: &mut Init) -> Self {
        let Linear { weight, bias } = init.linear(d, experts);
        Self { weight, bias }
    }

    /// Share of each expert.
    ///
    /// # Shapes
    /// - `selector`: `[B, D]`
    /// - output: `[B, G]`, rows that sum to 1
    pub fn shares(&self, selector: Tensor<2>) -> Tensor<2> {
        let bias = self.bias.as_ref().map(Param::val);
        let logits = burn::tensor::module::linear(selector, self.weight.val(), bias);
        softmax(logits, 1)
    }

    /// # Shapes
    /// - `selector`: `[B, D]`
    /// - `groups`: one to three, `[E, B, D]` each
    /// - output: `[B, D]`
    pub fn forward(&self, selector: Tensor<2>, groups: Vec<Tensor<3>>) -> Tensor<2> {
        let bias = self.bias.as_ref().expect("made with a bias");
        let gate = GateWeights {
            weight: self.weight.val(),
            bias: bias.val(),
        };
        mixture(selector, gate, groups)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn gate_weights_sum_to_one(values in prop::collection::vec(-50.0f32..50.0, 12), experts in 1usize..8) {
            let device = Device::flex();
            let gate = Gate::new(4, experts, &mut Init::new(7, &device));
            let selector = Tensor::<1>::from_floats(values.as_slice(), &device).reshape([3, 4]);
            let sums: Vec<f32> = gate.shares(selector).sum_dim(1).into_data().try_into_vec().unwrap();
            for sum in sums {
                prop_assert!((sum - 1.0).abs() < 1e-5, "{sum}");
            }
        }
    }

    #[test]
    fn equal_experts_are_passed_on() {
        let device = Device::flex();
        let gate = Gate::new(2, 3, &mut Init::new(7, &device));
        let expert = Tensor::<3>::from_floats([[[1.0, -2.0]]], &device);
        let mixed = gate.forward(
            Tensor::ones([1, 2], &device),
            vec![expert.clone().repeat_dim(0, 2), expert],
        );
        let mixed: Vec<f32> = mixed.into_data().try_into_vec().unwrap();
        assert!((mixed[0] - 1.0).abs() < 1e-6 && (mixed[1] + 2.0).abs() < 1e-6);
    }
}
