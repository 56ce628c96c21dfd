//! Batch normalisation as PyTorch's `BatchNorm1d`: Burn's keeps the biased variance of the batch as its running one.

use burn::module::{Module, Param, RunningState};
use burn::tensor::module::batch_norm;
use burn::tensor::{Device, Tensor};

use super::init::Init;
use crate::heads::graph;

const EPSILON: f64 = 1e-5;
/// Share of the newest batch in the running statistics.
const MOMENTUM: f64 = 0.1;

/// Normalises each feature over the batch, then scales and shifts it.
#[derive(Module, Debug)]
pub struct BatchNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    running_mean: RunningState<Tensor<1>>,
    running_var: RunningState<Tensor<1>>,
}

impl BatchNorm {
    /// Weight 1, bias 0, running mean 0, running variance 1.
    pub fn new(d: usize, init: &Init) -> Self {
        let (running_mean, running_var) = running(d, init.device());
        Self {
            weight: init.constant([d], 1.0),
            bias: init.constant([d], 0.0),
            running_mean,
            running_var,
        }
    }

    /// # Shapes
    /// - `x`, output: `[B, D]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        normalise(x, weight, bias, &self.running_mean, &self.running_var)
    }

    /// Scale and shift of each feature by the running statistics, for a norm that is not trained.  `[D]` each
    pub fn affine(&self) -> [Tensor<1>; 2] {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let (weight, bias) = (weight.without_autodiff(), bias.without_autodiff());
        let running = |of: &RunningState<Tensor<1>>| of.value_sync().without_autodiff();
        let deviation = (running(&self.running_var) + EPSILON).sqrt();
        let scale = weight / deviation;
        let shift = bias - running(&self.running_mean) * scale.clone();
        [scale, shift]
    }
}

/// Running statistics before the first batch.
pub(in crate::heads) fn running(
    d: usize,
    device: &Device,
) -> (RunningState<Tensor<1>>, RunningState<Tensor<1>>) {
    (
        RunningState::new(Tensor::zeros([d], device)),
        RunningState::new(Tensor::ones([d], device)),
    )
}

/// On an autodiff device by the statistics of the batch, which update the running ones; else by the running ones. So
/// too where a single post has the modality (difference 14): it has no variance.
pub(in crate::heads) fn normalise(
    x: Tensor<2>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    running_mean: &RunningState<Tensor<1>>,
    running_var: &RunningState<Tensor<1>>,
) -> Tensor<2> {
    if !x.is_autodiff() || x.dims()[0] == 1 {
        let (mean, variance) = (running_mean.value_sync(), running_var.value_sync());
        return batch_norm(x, weight, bias, mean, variance, EPSILON);
    }
    let n = x.dims()[0] as f64;
    let (output, [mean, variance]) = graph::batch_norm(x, [weight, bias], EPSILON);
    update(running_mean, mean);
    update(running_var, variance * (n / (n - 1.0)));
    output
}

fn update(running: &RunningState<Tensor<1>>, batch: Tensor<1>) {
    let old = running.value_sync().detach();
    running.update(old * (1.0 - MOMENTUM) + batch.detach() * MOMENTUM);
    running.value_sync(); // else the value waits for this thread, and the next step may run on another
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn numbers(tensor: Tensor<1>) -> Vec<f32> {
        tensor.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn the_running_variance_takes_the_unbiased_one() {
        let device = Device::flex().autodiff();
        let norm = BatchNorm::new(1, &Init::new(0, &device));
        let output = norm.forward(Tensor::from_floats([[1.0], [3.0]], &device));
        // mean 2, variance 1 biased and 2 unbiased
        let output = numbers(output.squeeze_dim(1));
        assert!((output[1] - 1.0).abs() < 1e-4, "{output:?}");
        let norm = norm.valid();
        let (mean, variance) = (norm.running_mean.value(), norm.running_var.value());
        assert!((numbers(mean)[0] - 0.2).abs() < 1e-6);
        assert!((numbers(variance)[0] - 1.1).abs() < 1e-6);
    }

    #[test]
    fn inference_uses_the_running_statistics() {
        let device = Device::flex();
        let norm = BatchNorm::new(1, &Init::new(0, &device));
        let output = norm.forward(Tensor::from_floats([[1.0], [3.0]], &device));
        let output = numbers(output.squeeze_dim(1));
        assert!((output[1] - 3.0).abs() < 1e-4, "{output:?}");
    }
}
