//! Two layers of each expert of a group: `relu(relu(x W₁ + b₁) W₂ + b₂)`.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use rayon::prelude::*;

use super::flex::{Plain, is_flex, plain, tensor, tracked, values};
use super::product::{
    Matrix, add_product, add_rows, product, product_of, room, sum_of_rows, written,
};

/// # Shapes
/// - `x`: `[B, D]`
/// - `weights`: W₁ `[E, D, D]`, b₁ `[E, 1, D]`, W₂ and b₂ likewise
/// - output: `[E, B, D]`
pub(crate) fn expert_layers(x: Tensor<2>, weights: [Tensor<3>; 4]) -> Tensor<3> {
    if !is_flex(&x.device()) {
        let [weight1, bias1, weight2, bias2] = weights;
        let hidden = relu(x.unsqueeze().matmul(weight1) + bias1);
        return relu(hidden.matmul(weight2) + bias2);
    }
    if !x.is_autodiff() {
        let weights = weights.map(plain);
        let (_, output) = forward(&plain(x), &weights);
        return Tensor::from_primitive::<Flex>(output);
    }
    let (x, x_node) = tracked(x);
    let [weight1, bias1, weight2, bias2] = weights.map(tracked);
    let nodes = [x_node, weight1.1, bias1.1, weight2.1, bias2.1];
    let weights = [weight1.0, bias1.0, weight2.0, bias2.0];
    let (hidden, output) = forward(&x, &weights);
    let prepared = Step.prepare::<NoCheckpointing>(nodes).compute_bound();
    let output = match prepared.stateful() {
        OpsKind::Tracked(step) => {
            let saved = Saved {
                x,
                weights,
                hidden,
                output: output.clone(),
            };
            step.finish(saved, output)
        }
        OpsKind::UnTracked(step) => step.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// B, D, E.
#[derive(Clone, Copy)]
struct Sizes {
    rows: usize,
    width: usize,
    experts: usize,
}

impl Sizes {
    fn of(x: &Plain, weights: &[Plain; 4]) -> Self {
        Self {
            rows: x.shape()[0],
            width: x.shape()[1],
            experts: weights[0].shape()[0],
        }
    }

    /// Values of one expert's matrix, and of a batch.
    fn lengths(self) -> (usize, usize) {
        (self.width * self.width, self.rows * self.width)
    }
}

/// One expert's part.
fn part(all: &Plain, expert: usize) -> &[f32] {
    let (values, experts) = (values(all), all.shape()[0]);
    let length = values.len() / experts;
    &values[expert * length..][..length]
}

/// Hidden and output values, `[E, B, D]` each.
fn forward(x: &Plain, weights: &[Plain; 4]) -> (Plain, Plain) {
    let sizes = Sizes::of(x, weights);
    let Sizes {
        rows,
        width,
        experts,
    } = sizes;
    let (_, batch) = sizes.lengths();
    let [weight1, bias1, weight2, bias2] = weights;
    let (mut hidden, mut output) = (vec![0.0; experts * batch], vec![0.0; experts * batch]);
    let layers = hidden
        .par_chunks_exact_mut(batch)
        .zip(output.par_chunks_exact_mut(batch));
    layers.enumerate().for_each(|(e, (hidden, output))| {
        let x = Matrix::new(values(x), rows, width);
        layer(hidden, x, (part(weight1, e), part(bias1, e)));
        let hidden = Matrix::new(hidden, rows, width);
        layer(output, hidden, (part(weight2, e), part(bias2, e)));
    });
    let shape = [experts, rows, width];
    (tensor(hidden, shape), tensor(output, shape))
}

/// `target = relu(x W + b)`
fn layer(target: &mut [f32], x: Matrix, (weight, bias): (&[f32], &[f32])) {
    let width = bias.len();
    for row in target.chunks_exact_mut(width) {
        row.copy_from_slice(bias);
    }
    add_product(target, x, Matrix::new(weight, width, width));
    for value in target {
        *value = value.max(0.0);
    }
}

/// What the derivative needs.
#[derive(Clone, Debug)]
struct Saved {
    x: Plain,
    weights: [Plain; 4],
    hidden: Plain,
    output: Plain,
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 5> for Step {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 5>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let found = backward(&ops.state, &gradient.to_contiguous());
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// Gradients of x, W₁, b₁, W₂, b₂.
fn backward(saved: &Saved, gradient: &Plain) -> [Plain; 5] {
    let sizes = Sizes::of(&saved.x, &saved.weights);
    let Sizes {
        rows,
        width,
        experts,
    } = sizes;
    let (square, batch) = sizes.lengths();
    let mut weights = [room(experts * square), room(experts * square)];
    let [weights1, weights2] = weights
        .each_mut()
        .map(|all| all.par_chunks_exact_mut(square));
    let one = |(e, (weight1, weight2))| {
        let batch = |values| Matrix::new(values, rows, width);
        let matrix = |layer: usize| Matrix::new(part(&saved.weights[layer], e), width, width);
        let (hidden, output) = (part(&saved.hidden, e), part(&saved.output, e));
        let d_output = masked(part(gradient, e).to_vec(), output);
        product(weight2, batch(hidden).t(), batch(&d_output));
        let d_hidden = masked(product_of(batch(&d_output), matrix(2).t()), hidden);
        product(weight1, batch(values(&saved.x)).t(), batch(&d_hidden));
        let d_x = product_of(batch(&d_hidden), matrix(0).t());
        [
            d_x,
            sum_of_rows(&d_hidden, width),
            sum_of_rows(&d_output, width),
        ]
    };
    let found: Vec<_> = weights1.zip(weights2).enumerate().map(one).collect();
    let mut d_x = vec![0.0; batch];
    for [one, _, _] in &found {
        add_rows(&mut d_x, one);
    }
    let biases = [1, 2].map(|layer| found.iter().flat_map(|one| &one[layer]).copied().collect());
    // SAFETY: each part is the target of a product above.
    let weights = weights.map(|weight| tensor(unsafe { written(weight) }, [experts, width, width]));
    let ([weight1, weight2], [bias1, bias2]) = (
        weights,
        biases.map(|bias| tensor(bias, [experts, 1, width])),
    );
    [tensor(d_x, [rows, width]), weight1, bias1, weight2, bias2]
}

/// The gradient where the ReLU let something pass.
fn masked(mut gradient: Vec<f32>, output: &[f32]) -> Vec<f32> {
    for (gradient, output) in gradient.iter_mut().zip(output) {
        *gradient = if *output > 0.0 { *gradient } else { 0.0 };
    }
    gradient
}
