//! `x W + b`

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Flex, TensorMetadata};
use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::Tensor;

use super::flex::{Plain, is_flex, plain, tensor, tracked, values};
use super::product::{Matrix, add_product, product_of, sum_of_rows};

/// # Shapes
/// - `x`: `[B, D_input]`
/// - output: `[B, D_output]`
pub(crate) fn affine(x: Tensor<2>, layer: &Linear) -> Tensor<2> {
    let Some(bias) = layer
        .bias
        .as_ref()
        .map(Param::val)
        .filter(|_| is_flex(&x.device()))
    else {
        return layer.forward(x);
    };
    let weight = layer.weight.val();
    if !x.is_autodiff() {
        let output = forward(&plain(x), &plain(weight), &plain(bias));
        return Tensor::from_primitive::<Flex>(output);
    }
    let (x, x_node) = tracked(x);
    let (weight, weight_node) = tracked(weight);
    let (bias, bias_node) = tracked(bias);
    let output = forward(&x, &weight, &bias);
    let prepared = Step
        .prepare::<NoCheckpointing>([x_node, weight_node, bias_node])
        .compute_bound();
    let output = match prepared.stateful() {
        OpsKind::Tracked(step) => step.finish([x, weight], output),
        OpsKind::UnTracked(step) => step.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

fn forward(x: &Plain, weight: &Plain, bias: &Plain) -> Plain {
    let ([rows, d_input], [_, d_output]) = (x.shape().dims(), weight.shape().dims());
    let mut output = values(bias).repeat(rows);
    let (x, weight) = (
        Matrix::new(values(x), rows, d_input),
        Matrix::new(values(weight), d_input, d_output),
    );
    add_product(&mut output, x, weight);
    tensor(output, [rows, d_output])
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 3> for Step {
    /// x and W.
    type State = [Plain; 2];

    fn backward(self, ops: Ops<[Plain; 2], 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let [x, weight] = ops.state;
        let ([rows, d_input], [_, d_output]) = (x.shape().dims(), weight.shape().dims());
        let gradient = Matrix::new(values(&gradient), rows, d_output);
        let [x_node, weight_node, bias_node] = ops.parents;
        if let Some(node) = x_node {
            let weight = Matrix::new(values(&weight), d_input, d_output);
            let d_x = product_of(gradient, weight.t());
            gradients.register::<Flex>(node.id, tensor(d_x, [rows, d_input]));
        }
        if let Some(node) = weight_node {
            let d_weight = product_of(Matrix::new(values(&x), rows, d_input).t(), gradient);
            gradients.register::<Flex>(node.id, tensor(d_weight, [d_input, d_output]));
        }
        if let Some(node) = bias_node {
            let d_bias = sum_of_rows(gradient.values(), d_output);
            gradients.register::<Flex>(node.id, tensor(d_bias, [d_output]));
        }
    }
}
