//! tanh of many numbers.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::super::flex::{Plain, is_flex, plain, tensor, tracked, values};
use super::super::lanes::sigmoid;

/// Numbers that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// To about 1e-7, where the processor computes it.
pub(in crate::heads) fn tanh(x: Tensor<2>) -> Tensor<2> {
    if !is_flex(&x.device()) {
        return x.tanh();
    }
    if !x.is_autodiff() {
        return Tensor::from_primitive::<Flex>(forward(&plain(x)));
    }
    let (x, node) = tracked(x);
    let output = forward(&x);
    let prepared = Step.prepare::<NoCheckpointing>([node]).compute_bound();
    let output = match prepared.stateful() {
        OpsKind::Tracked(step) => step.finish(output.clone(), output),
        OpsKind::UnTracked(step) => step.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

fn forward(x: &Plain) -> Plain {
    let mut output = vec![0.0; values(x).len()];
    let chunks = output.par_chunks_mut(CHUNK);
    let chunks = chunks.zip(values(x).par_chunks(CHUNK));
    chunks.for_each(|(output, x)| of_values(output, x));
    tensor(output, x.shape())
}

fn of_values(output: &mut [f32], x: &[f32]) {
    widest!(of_values_by_lanes(output, x));
}

#[inline(always)]
fn of_values_by_lanes(output: &mut [f32], x: &[f32]) {
    for (output, x) in output.iter_mut().zip(x) {
        *output = 2.0 * sigmoid(2.0 * x) - 1.0;
    }
}

/// `target *= 1 − y²`
fn through(target: &mut [f32], y: &[f32]) {
    for (target, y) in target.iter_mut().zip(y) {
        *target *= 1.0 - y * y;
    }
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 1> for Step {
    /// The output.
    type State = Plain;

    fn backward(self, ops: Ops<Plain, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            let mut own = values(&gradient).to_vec();
            let chunks = own.par_chunks_mut(CHUNK);
            let chunks = chunks.zip(values(&ops.state).par_chunks(CHUNK));
            chunks.for_each(|(own, y)| through(own, y));
            gradients.register::<Flex>(parent.id, tensor(own, ops.state.shape()));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn values_and_derivatives_are_burns() {
        let device = Device::flex().autodiff();
        let x: Vec<f32> = (-300..300).map(|i| 0.05 * i as f32).collect();
        let x = Tensor::<2>::from_data(TensorData::new(x, [20, 30]), &device).require_grad();
        let found = |y: Tensor<2>| -> Vec<f32> {
            let gradients = (y.clone() * y.clone().detach()).sum().backward();
            let both = vec![y.inner(), x.grad(&gradients).unwrap()];
            Tensor::cat(both, 0).into_data().try_into_vec().unwrap()
        };
        let (ours, burns) = (found(tanh(x.clone())), found(x.clone().tanh()));
        for (ours, burns) in ours.iter().zip(burns) {
            assert!((ours - burns).abs() < 1e-6, "{ours} {burns}");
        }
    }
}
