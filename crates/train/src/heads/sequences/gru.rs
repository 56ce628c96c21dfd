//! A gated recurrent unit over the tokens of a post, forwards and backwards, as PyTorch's `GRU(bidirectional=True)` on
//! packed sequences: each post ends with its own last token.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::tokens::{Tokens, indices, starts};
use crate::heads::Init;
use crate::heads::layers::bound;

/// Weights by PyTorch's names: reset, update and new side by side.
#[derive(Module, Debug)]
pub struct Gru {
    weight_ih_l0: Param<Tensor<2>>,
    weight_hh_l0: Param<Tensor<2>>,
    bias_ih_l0: Param<Tensor<1>>,
    bias_hh_l0: Param<Tensor<1>>,
    weight_ih_l0_reverse: Param<Tensor<2>>,
    weight_hh_l0_reverse: Param<Tensor<2>>,
    bias_ih_l0_reverse: Param<Tensor<1>>,
    bias_hh_l0_reverse: Param<Tensor<1>>,
}

/// One direction's weights.
struct Direction<'a> {
    input: &'a Param<Tensor<2>>,
    hidden: &'a Param<Tensor<2>>,
    input_bias: &'a Param<Tensor<1>>,
    hidden_bias: &'a Param<Tensor<1>>,
}

/// The rows that are read together, one of each post that is long enough: the first ones, then the second ones.
struct Order {
    /// Numbers of the rows, step by step.
    rows: Vec<usize>,
    /// How many posts each step has; never more than the step before.
    posts: Vec<usize>,
}

impl Order {
    /// The longest post first.
    fn new(lengths: &[usize], is_reverse: bool) -> Self {
        let starts = starts(lengths);
        let mut posts: Vec<_> = (0..lengths.len()).collect();
        posts.sort_by_key(|&post| std::cmp::Reverse(lengths[post]));
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let (mut rows, mut counts) = (Vec::new(), Vec::new());
        for step in 0..longest {
            let there = posts.iter().take_while(|&&post| lengths[post] > step);
            let before = rows.len();
            rows.extend(there.map(|&post| match is_reverse {
                false => starts[post] + step,
                true => starts[post] + lengths[post] - 1 - step,
            }));
            counts.push(rows.len() - before);
        }
        Self {
            rows,
            posts: counts,
        }
    }

    /// For each row in its own order, its place in this one.
    fn back(&self) -> Vec<usize> {
        let mut places = vec![0; self.rows.len()];
        for (place, &row) in self.rows.iter().enumerate() {
            places[row] = place;
        }
        places
    }
}

impl Gru {
    /// PyTorch's default: all from U(±1/√d_hidden).
    pub fn new(d_input: usize, d_hidden: usize, init: &mut Init) -> Self {
        let bound = bound(d_hidden);
        let mut matrix = |rows| init.uniform([rows, 3 * d_hidden], -bound, bound);
        let (input, hidden) = (matrix(d_input), matrix(d_hidden));
        let (input_reverse, hidden_reverse) = (matrix(d_input), matrix(d_hidden));
        let mut bias = || init.uniform([3 * d_hidden], -bound, bound);
        Self {
            weight_ih_l0: input,
            weight_hh_l0: hidden,
            bias_ih_l0: bias(),
            bias_hh_l0: bias(),
            weight_ih_l0_reverse: input_reverse,
            weight_hh_l0_reverse: hidden_reverse,
            bias_ih_l0_reverse: bias(),
            bias_hh_l0_reverse: bias(),
        }
    }

    /// The states at each token, forwards and backwards side by side.  `[ΣT, 2 d_hidden]`
    pub fn forward(&self, tokens: &Tokens) -> Tokens {
        let forwards = Direction {
            input: &self.weight_ih_l0,
            hidden: &self.weight_hh_l0,
            input_bias: &self.bias_ih_l0,
            hidden_bias: &self.bias_hh_l0,
        };
        let backwards = Direction {
            input: &self.weight_ih_l0_reverse,
            hidden: &self.weight_hh_l0_reverse,
            input_bias: &self.bias_ih_l0_reverse,
            hidden_bias: &self.bias_hh_l0_reverse,
        };
        let both = vec![
            forwards.states(tokens, false),
            backwards.states(tokens, true),
        ];
        tokens.with(Tensor::cat(both, 1))
    }
}

impl Direction<'_> {
    fn states(&self, tokens: &Tokens, is_reverse: bool) -> Tensor<2> {
        let order = Order::new(&tokens.lengths, is_reverse);
        let device = tokens.rows.device();
        let rows = tokens
            .rows
            .clone()
            .select(0, indices(order.rows.iter().copied(), &device));
        let inputs = rows.matmul(self.input.val()) + self.input_bias.val().unsqueeze();
        let (weight, bias) = (self.hidden.val(), self.hidden_bias.val().unsqueeze::<2>());
        let width = weight.dims()[0];
        let mut state: Tensor<2> = Tensor::zeros([order.posts[0], width], &device);
        let (mut states, mut first) = (Vec::new(), 0);
        for &posts in &order.posts {
            let before = state.narrow(0, 0, posts);
            let input = inputs.clone().narrow(0, first, posts);
            first += posts;
            let hidden = before.clone().matmul(weight.clone()) + bias.clone();
            let part = |x: &Tensor<2>, gate: usize| x.clone().narrow(1, gate * width, width);
            let reset = sigmoid(part(&input, 0) + part(&hidden, 0));
            let update = sigmoid(part(&input, 1) + part(&hidden, 1));
            let new = (part(&input, 2) + reset * part(&hidden, 2)).tanh();
            state = new.clone() + update * (before - new);
            states.push(state.clone());
        }
        let states = Tensor::cat(states, 0);
        states.select(0, indices(order.back().into_iter(), &device))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::heads::Noise;
    use burn::tensor::Device;

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

    #[test]
    fn a_post_alone_has_the_states_that_it_has_beside_a_longer_one() {
        let device = Device::flex();
        let gru = Gru::new(3, 4, &mut Init::new(1, &device));
        let both = Tokens {
            rows: Noise::new(1, 1).normals(0, [7, 3], &device),
            lengths: vec![2, 5],
        };
        let values = |x: Tensor<2>| -> Vec<f32> { x.into_data().try_into_vec().unwrap() };
        let together = values(gru.forward(&both).posts(&[0]).rows);
        let alone = values(gru.forward(&both.posts(&[0])).rows);
        for (together, alone) in together.iter().zip(alone) {
            assert!((together - alone).abs() < 1e-6);
        }
    }
}
