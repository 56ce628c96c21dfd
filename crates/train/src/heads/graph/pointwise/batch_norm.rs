//! `(x − mean) / √(variance + ε) · weight + bias` of each number over the batch.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;
use burn::tensor::module::batch_norm_train;

use super::super::flex::{Plain, is_flex, tensor, tracked, values};

/// In training: the result, and mean and (biased) variance of the batch.
///
/// # Shapes
/// - `x`, result: `[B, D]`
/// - all others: `[D]`
pub(in crate::heads) fn batch_norm(
    x: Tensor<2>,
    [weight, bias]: [Tensor<1>; 2],
    epsilon: f64,
) -> (Tensor<2>, [Tensor<1>; 2]) {
    if !(is_flex(&x.device()) && x.is_autodiff()) {
        let batch = batch_norm_train(x, weight, bias, epsilon);
        return (batch.output, [batch.mean, batch.variance]);
    }
    let (x, x_node) = tracked(x);
    let (weight, weight_node) = tracked(weight);
    let (bias, bias_node) = tracked(bias);
    let found = Statistics::of(&x, epsilon as f32);
    let output = found.scaled(&x, values(&weight), values(&bias));
    let statistics = [found.mean.clone(), found.variance.clone()];
    let prepared = Step
        .prepare::<NoCheckpointing>([x_node, weight_node, bias_node])
        .compute_bound();
    let output = match prepared.stateful() {
        OpsKind::Tracked(step) => step.finish((x, weight, found), output),
        OpsKind::UnTracked(step) => step.finish(output),
    };
    let statistics = statistics.map(|values| {
        let width = values.len();
        Tensor::from_inner(Tensor::from_primitive::<Flex>(tensor(values, [width])))
    });
    let output = Tensor::from_primitive::<Autodiff<Flex>>(output);
    (output, statistics)
}

/// Of sums in 64 bits, as PyTorch has them: where all posts have the same number the mean is that number, and not one
/// beside it that a division by the deviation makes large.
fn means(sums: &[f64], rows: usize) -> Vec<f32> {
    let mean = |sum: &f64| (sum / rows as f64) as f32;
    sums.iter().map(mean).collect()
}

/// Adds rows to their sums.
fn add_all(sums: &mut [f64], x: &[f32]) {
    widest!(for row in x.chunks_exact(sums.len()) {
        for (sum, x) in sums.iter_mut().zip(row) {
            *sum += f64::from(*x);
        }
    })
}

/// Adds the squares of rows, less the mean.
fn add_squares(sums: &mut [f64], x: &[f32], mean: &[f32]) {
    widest!(for row in x.chunks_exact(sums.len()) {
        for ((sum, x), mean) in sums.iter_mut().zip(row).zip(mean) {
            let distance = f64::from(x - mean);
            *sum += distance * distance;
        }
    })
}

/// Adds the products of rows with what rows are beside the mean.
fn add_products(sums: &mut [f64], x: &[f32], gradient: &[f32], mean: &[f32]) {
    let width = sums.len();
    widest!(
        for (x, gradient) in x.chunks_exact(width).zip(gradient.chunks_exact(width)) {
            for ((sum, mean), (x, gradient)) in
                sums.iter_mut().zip(mean).zip(x.iter().zip(gradient))
            {
                *sum += f64::from(*gradient) * f64::from(x - mean);
            }
        }
    )
}

/// `(x − mean) · scale + bias`
fn scale_all(x: &mut [f32], mean: &[f32], scale: &[f32], bias: &[f32]) {
    widest!(for row in x.chunks_exact_mut(mean.len()) {
        for (value, ((mean, scale), bias)) in row.iter_mut().zip(mean.iter().zip(scale).zip(bias)) {
            *value = (*value - mean) * scale + bias;
        }
    })
}

/// `outer · (gradient − level − (x − mean) · slope)`
fn turn_back(gradient: &mut [f32], x: &[f32], [outer, level, mean, slope]: &[Vec<f32>; 4]) {
    let width = outer.len();
    widest!(
        for (row, x) in gradient.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let of_column = outer.iter().zip(level).zip(mean.iter().zip(slope));
            for ((value, x), ((outer, level), (mean, slope))) in
                row.iter_mut().zip(x).zip(of_column)
            {
                *value = outer * (*value - level - (x - mean) * slope);
            }
        }
    )
}

/// Of a batch.
#[derive(Clone, Debug)]
struct Statistics {
    mean: Vec<f32>,
    variance: Vec<f32>,
    /// `1 / √(variance + ε)`
    scale: Vec<f32>,
}

impl Statistics {
    fn of(x: &Plain, epsilon: f32) -> Self {
        let [rows, width] = x.shape().dims();
        let mut sums = vec![0.0; width];
        add_all(&mut sums, values(x));
        let mean = means(&sums, rows);
        let mut squares = vec![0.0; width];
        add_squares(&mut squares, values(x), &mean);
        let variance = means(&squares, rows);
        let scale = variance.iter().map(|v| (v + epsilon).sqrt().recip());
        Self {
            scale: scale.collect(),
            mean,
            variance,
        }
    }

    fn scaled(&self, x: &Plain, weight: &[f32], bias: &[f32]) -> Plain {
        let scale: Vec<_> = self.scale.iter().zip(weight).map(|(a, b)| a * b).collect();
        let mut output = values(x).to_vec();
        scale_all(&mut output, &self.mean, &scale, bias);
        tensor(output, x.shape())
    }
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 3> for Step {
    /// x, weight, and what the batch had.
    type State = (Plain, Plain, Statistics);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let (x, weight, Statistics { mean, scale, .. }) = ops.state;
        let [rows, width] = x.shape().dims();
        let (mut sums, mut products) = (vec![0.0; width], vec![0.0; width]);
        add_all(&mut sums, values(&gradient));
        add_products(&mut products, values(&x), values(&gradient), &mean);
        let d_bias: Vec<_> = sums.iter().map(|&sum| sum as f32).collect();
        let pairs = products.iter().zip(&scale);
        let d_weight: Vec<_> = (pairs.map(|(&sum, scale)| sum as f32 * scale)).collect();
        let [x_node, weight_node, bias_node] = ops.parents;
        if let Some(node) = x_node {
            // weight · scale (gradient − Σ gradient / B − normal Σ (gradient · normal) / B)
            let share = 1.0 / rows as f32;
            let of_column = |of: &dyn Fn(usize) -> f32| (0..width).map(of).collect();
            let columns = [
                of_column(&|i| values(&weight)[i] * scale[i]),
                of_column(&|i| d_bias[i] * share),
                mean,
                of_column(&|i| scale[i] * d_weight[i] * share),
            ];
            let mut d_x = values(&gradient).to_vec();
            turn_back(&mut d_x, values(&x), &columns);
            gradients.register::<Flex>(node.id, tensor(d_x, [rows, width]));
        }
        for (node, values) in [(weight_node, d_weight), (bias_node, d_bias)] {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, tensor(values, [width]));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn values_statistics_and_derivatives_are_burns() {
        let device = Device::flex().autodiff();
        let x: Vec<f32> = (0..9 * 35).map(|i| 3.0 + (0.7 * i as f32).sin()).collect();
        let x = Tensor::<2>::from_data(TensorData::new(x, [9, 35]), &device).require_grad();
        let vector = |start: f32| {
            let values: Vec<f32> = (0..35).map(|i| start + 0.02 * i as f32).collect();
            Tensor::<1>::from_floats(values.as_slice(), &device).require_grad()
        };
        let (weight, bias) = (vector(0.6), vector(-0.3));
        let found = |output: Tensor<2>, statistics: [Tensor<1>; 2]| -> Vec<f32> {
            let weighed = output.clone() * output.clone().detach().sin();
            let gradients = weighed.sum().backward();
            let of_x = x.grad(&gradients).unwrap().reshape([-1]);
            let both = [&weight, &bias].map(|of| of.grad(&gradients).unwrap());
            let plain = statistics.map(Tensor::inner).into_iter().chain(both);
            let all = plain.chain([output.inner().reshape([-1]), of_x]);
            let all: Tensor<1> = Tensor::cat(all.collect(), 0);
            all.into_data().try_into_vec().unwrap()
        };
        let (output, statistics) = batch_norm(x.clone(), [weight.clone(), bias.clone()], 1e-5);
        let ours = found(output, statistics);
        let batch = batch_norm_train(x.clone(), weight.clone(), bias.clone(), 1e-5);
        let burns = found(batch.output, [batch.mean, batch.variance]);
        for (ours, burns) in ours.iter().zip(burns) {
            assert!((ours - burns).abs() < 2e-5, "{ours} {burns}");
        }
    }
}
