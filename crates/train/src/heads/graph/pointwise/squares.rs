//! How far rows are from others: the mean of the squared differences.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;

use super::super::flex::{Plain, is_flex, plain, tensor, tracked, values};
use super::super::lanes::total;

/// Without a gradient of the others.
///
/// # Shapes
/// - `x`, `others`: `[B, D]`
/// - output: `[B]`
pub(in crate::heads) fn mean_squares(x: Tensor<2>, others: Tensor<2>) -> Tensor<1> {
    if !is_flex(&x.device()) {
        let squares = (x - others.detach()).square();
        return squares.mean_dim(1).squeeze_dim(1);
    }
    if !x.is_autodiff() {
        return Tensor::from_primitive::<Flex>(forward(&plain(x), &plain(others)));
    }
    let ((x, node), (others, _)) = (tracked(x), tracked(others));
    let output = forward(&x, &others);
    let prepared = Step.prepare::<NoCheckpointing>([node]).compute_bound();
    let output = match prepared.stateful() {
        OpsKind::Tracked(step) => step.finish([x, others], output),
        OpsKind::UnTracked(step) => step.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

fn forward(x: &Plain, others: &Plain) -> Plain {
    let [rows, width] = x.shape().dims();
    let others = values(others).chunks_exact(width);
    let means = values(x).chunks_exact(width).zip(others);
    let means = means.map(|(x, others)| sum_of_squares(x, others) / width as f32);
    tensor(means.collect(), [rows])
}

fn sum_of_squares(x: &[f32], others: &[f32]) -> f32 {
    widest!(sum_by_lanes(x, others))
}

#[inline(always)]
fn sum_by_lanes(x: &[f32], others: &[f32]) -> f32 {
    let mut sums = [0.0; 32];
    let (parts, others_parts) = (x.chunks(32), others.chunks(32));
    for (x, others) in parts.zip(others_parts) {
        for (sum, (x, other)) in sums.iter_mut().zip(x.iter().zip(others)) {
            *sum += (x - other) * (x - other);
        }
    }
    total(sums)
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 1> for Step {
    /// Both.
    type State = [Plain; 2];

    fn backward(self, ops: Ops<[Plain; 2], 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let ([x, others], [parent]) = (ops.state, ops.parents);
        let Some(parent) = parent else { return };
        let width = x.shape()[1];
        let mut d_x = values(&x).to_vec();
        let rows = d_x.chunks_exact_mut(width);
        let rows = rows.zip(values(&others).chunks_exact(width));
        for ((row, others), gradient) in rows.zip(values(&gradient)) {
            let factor = 2.0 * gradient / width as f32;
            for (value, other) in row.iter_mut().zip(others) {
                *value = (*value - other) * factor;
            }
        }
        gradients.register::<Flex>(parent.id, tensor(d_x, x.shape()));
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
        let matrix = |phase: f32| {
            let x: Vec<f32> = (0..7 * 45).map(|i| (phase + i as f32).sin()).collect();
            Tensor::<2>::from_data(TensorData::new(x, [7, 45]), &device)
        };
        let (x, others) = (matrix(0.5).require_grad(), matrix(2.0));
        let found = |y: Tensor<1>| -> Vec<f32> {
            let gradients = (y.clone() * y.clone().detach()).sum().backward();
            let gradient = x.grad(&gradients).unwrap().reshape([-1]);
            let both: Tensor<1> = Tensor::cat(vec![y.inner(), gradient], 0);
            both.into_data().try_into_vec().unwrap()
        };
        let ours = found(mean_squares(x.clone(), others.clone()));
        let squares = (x.clone() - others).square();
        let burns = found(squares.mean_dim(1).squeeze_dim(1));
        for (ours, burns) in ours.iter().zip(burns) {
            assert!((ours - burns).abs() < 1e-6, "{ours} {burns}");
        }
    }
}
