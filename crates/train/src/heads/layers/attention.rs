//! Modality attention (§3.1.4, Eq. 7): CBAM's channel attention with the branches as channels (difference 8: as
//! released).

use std::f64::consts::SQRT_2;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::init::Init;

/// Weighs the branches of a post.
#[derive(Module, Debug)]
pub struct ModalityAttention {
    linear1: Linear,
    linear2: Linear,
}

impl ModalityAttention {
    /// For `branches` branches.
    pub fn new(branches: usize, init: &mut Init) -> Self {
        Self {
            linear1: init.linear(branches, branches),
            linear2: init.linear(branches, branches),
        }
    }

    /// # Shapes
    /// - `branches`: `[B, M, D]`
    /// - output: `[B, M]`
    pub fn forward(&self, branches: Tensor<3>) -> Tensor<2> {
        let average = self.score(branches.clone().mean_dim(2).squeeze_dim(2));
        let largest = self.score(branches.max_dim(2).squeeze_dim(2));
        sigmoid(average + largest) // Eq. 7  [B, M]
    }

    /// N: shared by the two pools.
    fn score(&self, pooled: Tensor<2>) -> Tensor<2> {
        self.linear2.forward(gelu(self.linear1.forward(pooled)))
    }
}

/// GELU by the error function, written out: the gradient of Burn's is an approximation on some devices.
pub(in crate::heads) fn gelu(x: Tensor<2>) -> Tensor<2> {
    x.clone() * ((x / SQRT_2).erf() + 1.0) * 0.5
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn attention_is_between_zero_and_one(values in prop::collection::vec(-3.0f32..3.0, 24)) {
            let device = Device::flex();
            let attention = ModalityAttention::new(3, &mut Init::new(3, &device));
            let branches = Tensor::<1>::from_floats(values.as_slice(), &device).reshape([2, 3, 4]);
            let weights: Vec<f32> = attention.forward(branches).into_data().try_into_vec().unwrap();
            prop_assert!(weights.iter().all(|a| *a > 0.0 && *a < 1.0), "{weights:?}");
        }
    }

    #[test]
    fn gelu_is_exact() {
        let x = Tensor::from_floats([[-1.0, 0.0, 2.0]], &Device::flex());
        let y: Vec<f32> = gelu(x).into_data().try_into_vec().unwrap();
        let expected = [-0.158_655_26, 0.0, 1.954_499_7];
        assert!(
            y.iter().zip(expected).all(|(y, e)| (y - e).abs() < 1e-6),
            "{y:?}"
        );
    }
}
