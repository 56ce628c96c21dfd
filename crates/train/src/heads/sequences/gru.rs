//! A gated recurrent unit over the tokens of a post, forwards and backwards, as PyTorch's `GRU(bidirectional=True)` on
//! packed sequences: each post ends with its own last token.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::tokens::{Tokens, indices};
use crate::heads::Init;
use crate::heads::graph::{GruWeights, Order, gru, is_flex};
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
        if !is_flex(&tokens.rows.device()) {
            return self.by_burn(tokens);
        }
        let rows = tokens.rows.clone();
        tokens.with(gru(rows, &tokens.lengths, self.directions()))
    }

    /// Forwards and backwards.
    fn directions(&self) -> [GruWeights; 2] {
        [
            GruWeights {
                input: self.weight_ih_l0.val(),
                hidden: self.weight_hh_l0.val(),
                input_bias: self.bias_ih_l0.val(),
                hidden_bias: self.bias_hh_l0.val(),
            },
            GruWeights {
                input: self.weight_ih_l0_reverse.val(),
                hidden: self.weight_hh_l0_reverse.val(),
                input_bias: self.bias_ih_l0_reverse.val(),
                hidden_bias: self.bias_hh_l0_reverse.val(),
            },
        ]
    }

    /// Each step by a dozen operations of Burn's.
    fn by_burn(&self, tokens: &Tokens) -> Tokens {
        let [forwards, backwards] = self.directions();
        let both = vec![
            states(tokens, &forwards, false),
            states(tokens, &backwards, true),
        ];
        tokens.with(Tensor::cat(both, 1))
    }
}

fn states(tokens: &Tokens, weights: &GruWeights, is_reverse: bool) -> Tensor<2> {
    let order = Order::new(&tokens.lengths, is_reverse);
    let device = tokens.rows.device();
    let rows = tokens
        .rows
        .clone()
        .select(0, indices(order.rows.iter().copied(), &device));
    let inputs = rows.matmul(weights.input.clone()) + weights.input_bias.clone().unsqueeze();
    let bias = weights.hidden_bias.clone().unsqueeze::<2>();
    let width = weights.hidden.dims()[0];
    let mut state: Tensor<2> = Tensor::zeros([order.posts[0], width], &device);
    let (mut states, mut first) = (Vec::new(), 0);
    for &posts in &order.posts {
        let before = state.narrow(0, 0, posts);
        let input = inputs.clone().narrow(0, first, posts);
        first += posts;
        let hidden = before.clone().matmul(weights.hidden.clone()) + bias.clone();
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::heads::Noise;
    use burn::tensor::Device;

    fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn our_sums_and_derivatives_are_burns() {
        let device = Device::flex().autodiff();
        let noise = Noise::new(1, 1);
        let gru = Gru::new(5, 19, &mut Init::new(1, &device));
        let lengths = vec![2, 7, 1, 4];
        let rows = noise.normals::<2>(0, [14, 5], &device).require_grad();
        let weights: Tensor<2> = noise.normals(1, [14, 38], &device);
        let tokens = Tokens {
            rows: rows.clone(),
            lengths,
        };
        let found = |states: Tokens| {
            let gradients = (states.rows.clone() * weights.clone()).sum().backward();
            let mut found = vec![
                numbers(states.rows),
                numbers(rows.grad(&gradients).unwrap()),
            ];
            for of in gru.directions() {
                for matrix in [of.input, of.hidden] {
                    found.push(numbers(matrix.grad(&gradients).unwrap()));
                }
                for bias in [of.input_bias, of.hidden_bias] {
                    found.push(numbers(bias.grad(&gradients).unwrap()));
                }
            }
            found
        };
        let (ours, burns) = (found(gru.forward(&tokens)), found(gru.by_burn(&tokens)));
        for (ours, burns) in ours.iter().zip(&burns) {
            assert_eq!(ours.len(), burns.len());
            for (ours, burns) in ours.iter().zip(burns) {
                assert!((ours - burns).abs() < 2e-5, "{ours} {burns}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so_and_what_is_large_does_not_become_it() {
        let device = Device::flex();
        let gru = Gru::new(1, 2, &mut Init::new(1, &device));
        let states = |value| {
            let tokens = Tokens {
                rows: Tensor::from_floats([[value]], &device),
                lengths: vec![1],
            };
            numbers(gru.forward(&tokens).rows)
        };
        assert!(states(f32::NAN).iter().all(|value| value.is_nan()));
        for value in [1e6, -1e6] {
            assert!(states(value).iter().all(|value| value.abs() <= 1.0));
        }
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
