//! Convolution over the windows of a post's tokens, as PyTorch's `Conv1d`, without padding to other posts.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::tokens::{Tokens, indices, starts};
use crate::heads::Init;
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
        let weight = self.weight.val();
        let [window, d_input, d_output] = weight.dims();
        let device = tokens.rows.device();
        let zero = tokens.rows.dims()[0];
        let lengths: Vec<_> = (tokens.lengths.iter())
            .map(|&length| (length + 1).saturating_sub(window).max(1))
            .collect();
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
