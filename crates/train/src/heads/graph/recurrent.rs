//! A gated recurrent unit over the tokens of each post, forwards and backwards: PyTorch's `GRU(bidirectional=True)` on
//! packed sequences. What the tokens say is one product for all of them, what a state says to the next one is a product
//! a step, of all posts that are that long; both directions run side by side.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{Shape, Tensor};

use super::flex::{Plain, plain, tensor, tracked, values};
use super::lanes::sigmoid;
use super::product::{Matrix, add_product, product_of, sum_of_rows};

/// What one direction has: reset, update and new side by side.
pub(crate) struct GruWeights {
    /// `[D, 3 H]`
    pub input: Tensor<2>,
    /// `[H, 3 H]`
    pub hidden: Tensor<2>,
    /// `[3 H]`
    pub input_bias: Tensor<1>,
    /// `[3 H]`
    pub hidden_bias: Tensor<1>,
}

/// The rows that are read together, one of each post that is long enough: the first ones, then the second ones.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Numbers of the rows, step by step.
    pub rows: Vec<usize>,
    /// How many posts each step has; never more than the step before.
    pub posts: Vec<usize>,
}

impl Order {
    /// Of posts with so many rows, the longest post first; each from its own first row on, or from its last one back.
    pub fn new(lengths: &[usize], is_reverse: bool) -> Self {
        let mut next = 0;
        let ends = lengths.iter().map(|&length| {
            next += length;
            (next - length, next)
        });
        let mut posts: Vec<_> = ends.collect();
        posts.sort_by_key(|(start, end)| std::cmp::Reverse(end - start));
        let longest = posts.first().map_or(0, |(start, end)| end - start);
        let (mut rows, mut counts) = (Vec::new(), Vec::new());
        for step in 0..longest {
            let there = posts.iter().take_while(|(start, end)| end - start > step);
            let before = rows.len();
            rows.extend(there.map(|(start, end)| match is_reverse {
                false => start + step,
                true => end - 1 - step,
            }));
            counts.push(rows.len() - before);
        }
        Self {
            rows,
            posts: counts,
        }
    }

    /// For each row in its own order, its place in this one.
    pub fn back(&self) -> Vec<usize> {
        let mut places = vec![0; self.rows.len()];
        for (place, &row) in self.rows.iter().enumerate() {
            places[row] = place;
        }
        places
    }

    /// Each step's first place and the one behind its last.
    fn steps(&self) -> Vec<(usize, usize)> {
        let mut next = 0;
        let step = |&posts: &usize| {
            next += posts;
            (next - posts, next)
        };
        self.posts.iter().map(step).collect()
    }
}

/// The states at each token, forwards and backwards side by side.
///
/// # Shapes
/// - `rows`: `[ΣT, D]`
/// - output: `[ΣT, 2 H]`
pub(crate) fn gru(rows: Tensor<2>, lengths: &[usize], weights: [GruWeights; 2]) -> Tensor<2> {
    if !rows.is_autodiff() {
        let weights = weights.map(|of| {
            let GruWeights {
                input,
                hidden,
                input_bias,
                hidden_bias,
            } = of;
            [
                plain(input),
                plain(hidden),
                plain(input_bias),
                plain(hidden_bias),
            ]
        });
        let (_, output) = Saved::new(plain(rows), weights, lengths);
        return Tensor::from_primitive::<Flex>(output);
    }
    let (rows, rows_node) = tracked(rows);
    let mut nodes = vec![rows_node];
    let weights = weights.map(|of| {
        let [(input, a), (hidden, b)] = [of.input, of.hidden].map(tracked);
        let [(input_bias, c), (hidden_bias, d)] = [of.input_bias, of.hidden_bias].map(tracked);
        nodes.extend([a, b, c, d]);
        [input, hidden, input_bias, hidden_bias]
    });
    let nodes: [_; 9] = nodes.try_into().expect("the rows and twice four weights");
    let (saved, output) = Saved::new(rows, weights, lengths);
    let prepared = Step.prepare::<NoCheckpointing>(nodes).compute_bound();
    let output = match prepared.stateful() {
        OpsKind::Tracked(step) => step.finish(saved, output),
        OpsKind::UnTracked(step) => step.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// What the derivative needs.
#[derive(Clone, Debug)]
struct Saved {
    rows: Plain,
    directions: [Direction; 2],
}

/// What one direction saw; by steps, not in the order of the rows.
#[derive(Clone, Debug)]
struct Direction {
    /// As [`GruWeights`].
    weights: [Plain; 4],
    order: Order,
    /// Reset, update, new, and what the hidden state said to the last before it was reset, side by side.  `[ΣT, 4 H]`
    gates: Vec<f32>,
    /// `[ΣT, H]`
    states: Vec<f32>,
}

impl Saved {
    fn new(rows: Plain, weights: [[Plain; 4]; 2], lengths: &[usize]) -> (Self, Plain) {
        let [first, second] = weights;
        let (first, second) = rayon::join(
            || Direction::new(&rows, first, Order::new(lengths, false)),
            || Direction::new(&rows, second, Order::new(lengths, true)),
        );
        let directions = [first, second];
        let width = directions[0].width();
        let mut output = vec![0.0; 2 * directions[0].states.len()];
        for (side, direction) in directions.iter().enumerate() {
            let states = direction.states.chunks_exact(width);
            for (state, row) in states.zip(&direction.order.rows) {
                output[(2 * row + side) * width..][..width].copy_from_slice(state);
            }
        }
        let shape = [directions[0].order.rows.len(), 2 * width];
        (Self { rows, directions }, tensor(output, shape))
    }
}

impl Direction {
    fn new(rows: &Plain, weights: [Plain; 4], order: Order) -> Self {
        let [input, hidden, input_bias, hidden_bias] = &weights;
        let ([count, d_input], [width, outputs]) = (rows.shape().dims(), hidden.shape().dims());
        let mut said = values(input_bias).repeat(count); // by the tokens, in their own order
        let rows = Matrix::new(values(rows), count, d_input);
        add_product(
            &mut said,
            rows,
            Matrix::new(values(input), d_input, outputs),
        );
        let hidden = Matrix::new(values(hidden), width, outputs);
        let (mut gates, mut states) = (vec![0.0; 4 * count * width], vec![0.0; count * width]);
        let zero = vec![0.0; order.posts.first().map_or(0, |posts| posts * width)];
        let mut last = 0; // where the states of the step before begin
        for (step, (start, end)) in order.steps().into_iter().enumerate() {
            let (done, open) = states.split_at_mut(start * width);
            let before = if step == 0 {
                &zero
            } else {
                &done[last * width..]
            };
            let before = &before[..(end - start) * width];
            let mut asked = values(hidden_bias).repeat(end - start);
            add_product(&mut asked, Matrix::new(before, end - start, width), hidden);
            for (index, row) in order.rows[start..end].iter().enumerate() {
                let part = index * width..(index + 1) * width;
                advance(
                    &mut open[part.clone()],
                    &mut gates[4 * (start * width + part.start)..][..4 * width],
                    (
                        &said[row * outputs..][..outputs],
                        &asked[index * outputs..][..outputs],
                        &before[part],
                    ),
                );
            }
            last = start;
        }
        Self {
            weights,
            order,
            gates,
            states,
        }
    }

    /// H
    fn width(&self) -> usize {
        self.weights[1].shape()[0]
    }

    /// Gradients of the weights, and of what the tokens say in their own order; `side`: which half of the output's
    /// gradient is ours.
    fn backward(&self, rows: &Plain, gradient: &[f32], side: usize) -> ([Plain; 4], Vec<f32>) {
        let (count, width) = (self.order.rows.len(), self.width());
        let outputs = 3 * width;
        let hidden = Matrix::new(values(&self.weights[1]), width, outputs);
        let (mut d_said, mut d_asked) = (vec![0.0; count * outputs], vec![0.0; count * outputs]);
        let mut before = vec![0.0; count * width]; // the states before each, by steps
        let posts = self.order.posts.first().copied().unwrap_or(0);
        let mut d_state = vec![0.0; posts * width];
        let steps = self.order.steps();
        for (step, &(start, end)) in steps.iter().enumerate().rev() {
            if step > 0 {
                let (last, _) = steps[step - 1];
                let last = &self.states[last * width..][..(end - start) * width];
                before[start * width..end * width].copy_from_slice(last);
            }
            for (index, row) in self.order.rows[start..end].iter().enumerate() {
                let (own, at) = (index * width..(index + 1) * width, start + index);
                retreat(
                    &mut d_state[own],
                    [
                        &mut d_said[row * outputs..][..outputs],
                        &mut d_asked[at * outputs..][..outputs],
                    ],
                    (
                        &gradient[(2 * row + side) * width..][..width],
                        &self.gates[4 * at * width..][..4 * width],
                        &before[at * width..][..width],
                    ),
                );
            }
            let asked = &d_asked[start * outputs..end * outputs];
            let asked = Matrix::new(asked, end - start, outputs);
            add_product(&mut d_state[..(end - start) * width], asked, hidden.t());
        }
        let [_, d_input] = rows.shape().dims::<2>();
        let tokens = Matrix::new(values(rows), count, d_input);
        let of_said = product_of(tokens.t(), Matrix::new(&d_said, count, outputs));
        let before = Matrix::new(&before, count, width);
        let of_asked = product_of(before.t(), Matrix::new(&d_asked, count, outputs));
        let weights = [
            tensor(of_said, [d_input, outputs]),
            tensor(of_asked, [width, outputs]),
            tensor(sum_of_rows(&d_said, outputs), [outputs]),
            tensor(sum_of_rows(&d_asked, outputs), [outputs]),
        ];
        (weights, d_said)
    }
}

/// The next state of one post, and its gates. `seen`: what the token says, what the state before says, that state.
fn advance(state: &mut [f32], gates: &mut [f32], seen: (&[f32], &[f32], &[f32])) {
    widest!(advance_by_lanes(state, gates, seen));
}

#[inline(always)]
fn advance_by_lanes(
    state: &mut [f32],
    gates: &mut [f32],
    (said, asked, before): (&[f32], &[f32], &[f32]),
) {
    let width = state.len();
    let ([said_r, said_z, said_n], [asked_r, asked_z, asked_n]) = (thirds(said), thirds(asked));
    let (reset, gates) = gates.split_at_mut(width);
    let (update, gates) = gates.split_at_mut(width);
    let (new, hidden) = gates.split_at_mut(width);
    let (before, hidden) = (&before[..width], &mut hidden[..width]);
    for i in 0..width {
        let r = sigmoid(said_r[i] + asked_r[i]);
        let z = sigmoid(said_z[i] + asked_z[i]);
        let n = 2.0 * sigmoid(2.0 * (said_n[i] + r * asked_n[i])) - 1.0; // tanh
        (reset[i], update[i], new[i], hidden[i]) = (r, z, n, asked_n[i]);
        state[i] = n + z * (before[i] - n);
    }
}

/// From the gradient of a post's state to that of the state before it, but for what it says; and to that of what the
/// token and that state say. `seen`: gradient of the output, gates, the state before.
fn retreat(d_state: &mut [f32], d_said_asked: [&mut [f32]; 2], seen: (&[f32], &[f32], &[f32])) {
    widest!(retreat_by_lanes(d_state, d_said_asked, seen));
}

#[inline(always)]
fn retreat_by_lanes(
    d_state: &mut [f32],
    [d_said, d_asked]: [&mut [f32]; 2],
    (gradient, gates, before): (&[f32], &[f32], &[f32]),
) {
    let width = d_state.len();
    let ([reset, update, new], hidden) = (thirds(&gates[..3 * width]), &gates[3 * width..]);
    let (gradient, before, hidden) = (&gradient[..width], &before[..width], &hidden[..width]);
    let ([said_r, said_z, said_n], [asked_r, asked_z, asked_n]) =
        (thirds_mut(d_said), thirds_mut(d_asked));
    for i in 0..width {
        let (r, z, n) = (reset[i], update[i], new[i]);
        let d = d_state[i] + gradient[i];
        let d_n = d * (1.0 - z) * (1.0 - n * n);
        let d_z = d * (before[i] - n) * z * (1.0 - z);
        let d_r = d_n * hidden[i] * r * (1.0 - r);
        (said_r[i], said_z[i], said_n[i]) = (d_r, d_z, d_n);
        (asked_r[i], asked_z[i], asked_n[i]) = (d_r, d_z, d_n * r);
        d_state[i] = d * z;
    }
}

#[inline(always)]
fn thirds(x: &[f32]) -> [&[f32]; 3] {
    let width = x.len() / 3;
    let (a, rest) = x.split_at(width);
    let (b, c) = rest.split_at(width);
    [a, b, &c[..width]]
}

#[inline(always)]
fn thirds_mut(x: &mut [f32]) -> [&mut [f32]; 3] {
    let width = x.len() / 3;
    let (a, rest) = x.split_at_mut(width);
    let (b, c) = rest.split_at_mut(width);
    [a, b, &mut c[..width]]
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 9> for Step {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 9>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let (Saved { rows, directions }, gradient) = (ops.state, values(&gradient));
        let [first, second] = &directions;
        let ((first, said_first), (second, said_second)) = rayon::join(
            || first.backward(&rows, gradient, 0),
            || second.backward(&rows, gradient, 1),
        );
        let mut parents = ops.parents.into_iter();
        if let Some(node) = parents.next().flatten() {
            let [count, d_input] = rows.shape().dims();
            let mut d_rows = vec![0.0; count * d_input];
            for (said, direction) in [said_first, said_second].iter().zip(&directions) {
                let outputs = 3 * direction.width();
                let input = Matrix::new(values(&direction.weights[0]), d_input, outputs);
                add_product(&mut d_rows, Matrix::new(said, count, outputs), input.t());
            }
            gradients.register::<Flex>(node.id, tensor(d_rows, Shape::from([count, d_input])));
        }
        for (parent, gradient) in parents.zip(first.into_iter().chain(second)) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_by_steps_and_find_back() {
        let order = Order::new(&[1, 3, 2], false);
        assert_eq!(
            (order.rows.as_slice(), order.posts.as_slice()),
            (&[1, 4, 0, 2, 5, 3][..], &[3, 2, 1][..])
        );
        assert_eq!(order.back(), [2, 0, 3, 5, 1, 4]);
        assert_eq!(Order::new(&[1, 3, 2], true).rows, [3, 5, 0, 2, 4, 1]);
    }
}
