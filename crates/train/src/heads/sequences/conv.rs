//! Convolution over the windows of a post's tokens, as PyTorch's `Conv1d`, without padding to other posts.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::tokens::{Tokens, indices, starts};
use crate::heads::Init;
use crate::heads::graph::{Windows, is_flex};
use crate::heads::layers::bound;

/// Maps each window of k tokens to `d_output` numbers.
#[derive(Module, Debug)]
pub struct Conv {
    weight: Param<Tensor<3>>,
    bias: Param<Tensor<1>>,
}

impl Conv {
    /// PyTorch's default, for windows of `window` tokens.
    pub fn new(window: usize, d_input: usize, d_output: usize, init: &mut Init) -> Self {
        let bound = bound(window * d_input);
        Self {
            weight: init.uniform([window, d_input, d_output], -bound, bound),
            bias: init.uniform([d_output], -bound, bound),
        }
    }

    /// The windows of each post: as many as fit, or one of a post that is shorter, with rows of zero behind its own.
    pub fn forward(&self, tokens: &Tokens) -> Tokens {
        if is_flex(&tokens.rows.device()) {
            return Tokens {
                rows: self.windows(tokens).all(),
                lengths: self.counts(tokens),
            };
        }
        self.by_burn(tokens)
    }

    /// Of each post and output the largest of its windows.  `[B, d_output]`
    pub fn largest(&self, tokens: &Tokens) -> Tensor<2> {
        match is_flex(&tokens.rows.device()) {
            true => self.windows(tokens).largest(),
            false => self.by_burn(tokens).max(),
        }
    }

    fn windows<'a>(&self, tokens: &'a Tokens) -> Windows<'a> {
        Windows {
            rows: tokens.rows.clone(),
            lengths: &tokens.lengths,
            weight: self.weight.val(),
            bias: self.bias.val(),
        }
    }

    /// Windows of each post.
    fn counts(&self, tokens: &Tokens) -> Vec<usize> {
        let [window, ..] = self.weight.val().dims();
        let count = |&length: &usize| (length + 1).saturating_sub(window).max(1);
        tokens.lengths.iter().map(count).collect()
    }

    /// Each window copied, and one product with all of them.
    fn by_burn(&self, tokens: &Tokens) -> Tokens {
        let weight = self.weight.val();
        let [window, d_input, d_output] = weight.dims();
        let device = tokens.rows.device();
        let zero = tokens.rows.dims()[0];
        let lengths = self.counts(tokens);
        let posts = starts(&tokens.lengths).into_iter().zip(&tokens.lengths);
        let rows = posts
            .zip(&lengths)
            .flat_map(|((start, &length), &windows)| {
                let token = move |t: usize| if t < length { start + t } else { zero };
                (0..windows).flat_map(move |first| (first..first + window).map(token))
            });
        let with_zero = match tokens.lengths.iter().all(|&length| length >= window) {
            true => tokens.rows.clone(),
            false => Tensor::cat(
                vec![tokens.rows.clone(), Tensor::zeros([1, d_input], &device)],
                0,
            ),
        };
        let rows = with_zero.select(0, indices(rows, &device));
        let rows = rows.reshape([-1, (window * d_input) as i32]); // [ΣW, k·D]
        let weight = weight.reshape([window * d_input, d_output]);
        Tokens {
            rows: rows.matmul(weight) + self.bias.val().unsqueeze(),
            lengths,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn our_sums_and_derivatives_are_burns() {
        let device = Device::flex().autodiff();
        for lengths in [vec![3, 1, 6, 4], vec![2, 1], vec![1, 1], vec![9]] {
            let noise = crate::heads::Noise::new(1, 1);
            let conv = Conv::new(3, 17, 5, &mut Init::new(1, &device));
            let rows = noise.normals::<2>(0, [lengths.iter().sum(), 17], &device);
            let rows = rows.require_grad();
            let tokens = Tokens {
                rows: rows.clone(),
                lengths,
            };
            let found = |output: Tensor<2>| {
                let weights = noise.normals(1, output.dims(), &device);
                let gradients = (output.clone() * weights).sum().backward();
                [
                    numbers(output),
                    numbers(rows.grad(&gradients).unwrap()),
                    numbers(conv.weight.val().grad(&gradients).unwrap()),
                    numbers(conv.bias.val().grad(&gradients).unwrap()),
                ]
            };
            let burns = conv.by_burn(&tokens);
            let ours = conv.forward(&tokens);
            assert_eq!(ours.lengths, burns.lengths);
            let pairs = [
                (found(ours.rows), found(burns.rows)),
                (
                    found(conv.largest(&tokens)),
                    found(conv.by_burn(&tokens).max()),
                ),
            ];
            for (ours, burns) in pairs.iter().flat_map(|(a, b)| a.iter().zip(b)) {
                assert_eq!(ours.len(), burns.len());
                for (ours, burns) in ours.iter().zip(burns) {
                    assert!((ours - burns).abs() < 1e-5, "{ours} {burns}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let device = Device::flex();
        let conv = Conv::new(1, 1, 1, &mut Init::new(1, &device));
        for place in 0..3 {
            let mut rows = [[1.0], [2.0], [3.0]];
            rows[place] = [f32::NAN];
            let tokens = Tokens {
                rows: Tensor::from_floats(rows, &device),
                lengths: vec![3],
            };
            assert!(numbers(conv.largest(&tokens))[0].is_nan());
        }
    }

    #[test]
    fn a_post_alone_has_the_windows_that_it_has_beside_a_longer_one() {
        let device = Device::flex();
        let conv = Conv::new(3, 2, 4, &mut Init::new(1, &device));
        let rows: Tensor<2> = crate::heads::Noise::new(1, 1).normals(0, [9, 2], &device);
        let both = Tokens {
            rows: rows.clone(),
            lengths: vec![2, 7],
        };
        let windows = conv.forward(&both);
        assert_eq!(windows.lengths, [1, 5]);
        let alone = conv.forward(&both.posts(&[0])).max().into_data();
        let first = windows.max().narrow(0, 0, 1).into_data();
        let values = |data: burn::tensor::TensorData| data.try_into_vec::<f32>().unwrap();
        assert_eq!(values(alone), values(first));
    }
}
