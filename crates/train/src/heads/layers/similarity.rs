//! Re-weighting of the fused feature by cross-modal similarity (§3.1.3, Eqs. 3–6).

use burn::module::{Module, Param, RunningState};
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use serde::{Deserialize, Serialize};
use strum::VariantNames;

use super::init::Init;
use super::norm::{normalise, running};

/// 2: how similarity becomes a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum SimilarityKind {
    /// Standardised by running statistics, then a sigmoid.
    Running,
    /// An affine map that is learned.
    Learned,
}

/// Eq. 3, as `torch.cosine_similarity`.
///
/// # Shapes
/// - `clip_text`, `clip_image`: `[B, D]`
/// - output: `[B]`
pub fn cosine(clip_text: Tensor<2>, clip_image: Tensor<2>) -> Tensor<1> {
    let norm = |x: Tensor<2>| x.square().sum_dim(1).sqrt().clamp_min(1e-8);
    let norms = norm(clip_text.clone()) * norm(clip_image.clone());
    ((clip_text * clip_image).sum_dim(1) / norms).squeeze_dim(1)
}

/// How much of the fused feature passes.
///
/// Standardised by running mean and variance (a BatchNorm over one channel without weights), then a sigmoid. Difference
/// 2: the released code learns an affine map and takes no sigmoid.
#[derive(Module, Debug)]
pub struct SimilarityWeight {
    running_mean: Option<RunningState<Tensor<1>>>,
    running_var: Option<RunningState<Tensor<1>>>,
    weight: Option<Param<Tensor<1>>>,
    bias: Option<Param<Tensor<1>>>,
}

impl SimilarityWeight {
    /// Of either kind.
    pub fn new(kind: SimilarityKind, init: &mut Init) -> Self {
        let (running_mean, running_var) = running(1, init.device());
        let is_running = kind == SimilarityKind::Running;
        Self {
            running_mean: is_running.then_some(running_mean),
            running_var: is_running.then_some(running_var),
            weight: (!is_running).then(|| init.uniform([1], 0.0, 1.0)),
            bias: (!is_running).then(|| init.uniform([1], 0.0, 1.0)),
        }
    }

    /// # Shapes
    /// - `similarity`: `[B]`
    /// - output: `[B, 1]`
    pub fn forward(&self, similarity: Tensor<1>) -> Tensor<2> {
        let similarity = similarity.unsqueeze_dim(1);
        if let (Some(weight), Some(bias)) = (&self.weight, &self.bias) {
            return similarity * weight.val().unsqueeze() + bias.val().unsqueeze();
        }
        let running = (self.running_mean.as_ref(), self.running_var.as_ref());
        let (Some(mean), Some(variance)) = running else {
            unreachable!("made with either running statistics or weights");
        };
        let device = similarity.device();
        let (one, zero) = (Tensor::ones([1], &device), Tensor::zeros([1], &device));
        sigmoid(normalise(similarity, one, zero, mean, variance)) // Eqs. 4, 5  [B, 1]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn cosine_is_that_of_the_angle_and_finite_at_zero() {
        let device = Device::flex();
        let text = Tensor::from_floats([[2.0, 0.0], [1.0, 1.0], [0.0, 0.0]], &device);
        let image = Tensor::from_floats([[5.0, 0.0], [1.0, -1.0], [1.0, 2.0]], &device);
        let cosines: Vec<f32> = cosine(text, image).into_data().try_into_vec().unwrap();
        assert_eq!(cosines, [1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_new_weight_is_the_sigmoid_of_the_similarity() {
        let device = Device::flex();
        let weight = SimilarityWeight::new(SimilarityKind::Running, &mut Init::new(0, &device));
        let g = weight.forward(Tensor::from_floats([0.0, 1.0], &device));
        let g: Vec<f32> = g.into_data().try_into_vec().unwrap();
        assert_eq!(g[0], 0.5);
        assert!((g[1] - 0.731_06).abs() < 1e-4, "{g:?}");
    }
}
