//! What a gate takes of experts: `Σ_g softmax(s W + b)_g · expert_g`.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use burn::tensor::module::linear;

use super::flex::{Plain, is_flex, plain, tensor, tracked, values};
use super::product::{Matrix, add_product, product_of, sum_of_rows};

/// The linear map of a gate.
pub(crate) struct GateWeights {
    /// `[D, G]`
    pub weight: Tensor<2>,
    /// `[G]`
    pub bias: Tensor<1>,
}

/// # Shapes
/// - `selector`: `[B, D]`
/// - `groups`: one to three, `[E, B, D]` each, G experts in all
/// - output: `[B, D]`
pub(crate) fn mixture(selector: Tensor<2>, gate: GateWeights, groups: Vec<Tensor<3>>) -> Tensor<2> {
    if !is_flex(&selector.device()) {
        let logits = linear(selector, gate.weight, Some(gate.bias));
        let shares = softmax(logits, 1).swap_dims(0, 1); // [G, B]
        let experts = Tensor::cat(groups, 0) * shares.unsqueeze_dim(2);
        return experts.sum_dim(0).squeeze_dim(0);
    }
    if !selector.is_autodiff() {
        let gate = [plain(selector), plain(gate.weight), plain(gate.bias)];
        let groups: Vec<_> = groups.into_iter().map(plain).collect();
        let (_, output) = forward(&gate, &groups);
        return Tensor::from_primitive::<Flex>(output);
    }
    let gate = [tracked(selector), tracked(gate.weight), tracked(gate.bias)];
    let groups: Vec<_> = groups.into_iter().map(tracked).collect();
    let output = match groups.len() {
        1 => record::<4>(gate, groups),
        2 => record::<5>(gate, groups),
        3 => record::<6>(gate, groups),
        other => unreachable!("a gate weighs one to three groups, not {other}"),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// `N`: the gate's three tensors and the groups.
fn record<const N: usize>(
    gate: [(Plain, NodeGuard); 3],
    groups: Vec<(Plain, NodeGuard)>,
) -> FloatTensor<Autodiff<Flex>> {
    let (gate, mut nodes): (Vec<_>, Vec<_>) = gate.into_iter().unzip();
    let (groups, group_nodes): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
    nodes.extend(group_nodes);
    let nodes: [NodeGuard; N] = nodes.try_into().expect("as many as there are tensors");
    let gate: [Plain; 3] = gate.try_into().expect("three");
    let (shares, output) = forward(&gate, &groups);
    let prepared = Step.prepare::<NoCheckpointing>(nodes).compute_bound();
    match prepared.stateful() {
        OpsKind::Tracked(step) => step.finish(
            Saved {
                gate,
                groups,
                shares,
            },
            output,
        ),
        OpsKind::UnTracked(step) => step.finish(output),
    }
}

/// Rows of all experts, in the order in which the gate counts them.  `[B, D]` each
fn experts(groups: &[Plain]) -> impl Iterator<Item = &[f32]> {
    groups.iter().flat_map(|group| {
        let values = values(group);
        values.chunks_exact(values.len() / group.shape()[0])
    })
}

/// Shares `[B, G]`, and the output.
fn forward([selector, weight, bias]: &[Plain; 3], groups: &[Plain]) -> (Vec<f32>, Plain) {
    let [rows, width] = selector.shape().dims();
    let count = bias.shape()[0];
    let mut shares = values(bias).repeat(rows);
    add_product(
        &mut shares,
        Matrix::new(values(selector), rows, width),
        Matrix::new(values(weight), width, count),
    );
    shares.chunks_exact_mut(count).for_each(softmax_row);
    let mut output = vec![0.0; rows * width];
    for (index, expert) in experts(groups).enumerate() {
        let rows = output
            .chunks_exact_mut(width)
            .zip(expert.chunks_exact(width));
        for (row, (output, expert)) in rows.enumerate() {
            let share = shares[row * count + index];
            for (output, value) in output.iter_mut().zip(expert) {
                *output += share * value;
            }
        }
    }
    (shares, tensor(output, [rows, width]))
}

fn softmax_row(row: &mut [f32]) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for value in row.iter_mut() {
        *value = (*value - largest).exp();
    }
    let sum: f32 = row.iter().sum();
    for value in row {
        *value /= sum;
    }
}

/// What the derivative needs.
#[derive(Clone, Debug)]
struct Saved {
    gate: [Plain; 3],
    groups: Vec<Plain>,
    shares: Vec<f32>,
}

#[derive(Debug)]
struct Step;

impl<const N: usize> Backward<Flex, N> for Step {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let (gate, groups) = backward(&ops.state, &gradient.to_contiguous());
        for (parent, gradient) in ops.parents.into_iter().zip(gate.into_iter().chain(groups)) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// Gradients of selector, weight and bias, and of the groups.
fn backward(saved: &Saved, gradient: &Plain) -> ([Plain; 3], Vec<Plain>) {
    let [selector, weight, bias] = &saved.gate;
    let ([rows, width], count) = (selector.shape().dims(), bias.shape()[0]);
    let (shares, gradient) = (&saved.shares, values(gradient));
    let mut d_logits = vec![0.0; rows * count];
    for (index, expert) in experts(&saved.groups).enumerate() {
        let pairs = gradient.chunks_exact(width).zip(expert.chunks_exact(width));
        for (row, (gradient, expert)) in pairs.enumerate() {
            d_logits[row * count + index] = dot(gradient, expert);
        }
    }
    for (d_logits, shares) in d_logits
        .chunks_exact_mut(count)
        .zip(shares.chunks_exact(count))
    {
        let mean = dot(d_logits, shares);
        for (d_logit, share) in d_logits.iter_mut().zip(shares) {
            *d_logit = share * (*d_logit - mean);
        }
    }
    let logits = Matrix::new(&d_logits, rows, count);
    let d_selector = product_of(logits, Matrix::new(values(weight), width, count).t());
    let d_weight = product_of(Matrix::new(values(selector), rows, width).t(), logits);
    let gate = [
        tensor(d_selector, [rows, width]),
        tensor(d_weight, [width, count]),
        tensor(sum_of_rows(&d_logits, count), [count]),
    ];
    let mut index = 0;
    let group = |group: &Plain| {
        let mut target = Vec::with_capacity(values(group).len());
        for _ in 0..group.shape()[0] {
            for (row, shares) in gradient.chunks_exact(width).zip(shares.chunks_exact(count)) {
                let share = shares[index];
                target.extend(row.iter().map(|value| value * share));
            }
            index += 1;
        }
        tensor(target, group.shape())
    };
    (gate, saved.groups.iter().map(group).collect())
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // eight sums side by side, so that they need not wait for each other
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a8.iter().zip(b8) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
