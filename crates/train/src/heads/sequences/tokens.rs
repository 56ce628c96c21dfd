//! Sequences of different lengths without padding: the rows of all posts one after the other, and how many each post
//! has.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// A row for each token, or for each window of tokens, of each post.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// `[ΣT, D]`
    pub rows: Tensor<2>,
    /// T of each post, at least 1.
    pub lengths: Vec<usize>,
}

impl Tokens {
    /// With other values in as many rows.
    pub fn with(&self, rows: Tensor<2>) -> Self {
        let lengths = self.lengths.clone();
        Self { rows, lengths }
    }

    /// Those of some posts.
    pub fn posts(&self, posts: &[usize]) -> Self {
        let starts = starts(&self.lengths);
        let rows = posts.iter().flat_map(|&post| {
            let start = starts[post];
            start..start + self.lengths[post]
        });
        Self {
            rows: (self.rows.clone()).select(0, indices(rows, &self.rows.device())),
            lengths: posts.iter().map(|&post| self.lengths[post]).collect(),
        }
    }

    /// Each post's numbers at each of its own rows.  `[ΣT, D]`
    pub fn spread(&self, x: Tensor<2>) -> Tensor<2> {
        let device = x.device();
        x.select(0, indices(self.owners(), &device))
    }

    /// Which post each row is of.
    fn owners(&self) -> impl Iterator<Item = usize> {
        let posts = self.lengths.iter().enumerate();
        posts.flat_map(|(post, &length)| std::iter::repeat_n(post, length))
    }

    /// The sum of each number over a post's own rows.  `[B, D]`
    pub fn sum(&self) -> Tensor<2> {
        let (posts, rows) = (self.lengths.len(), self.rows.dims()[0]);
        let mut owns = vec![0.0f32; posts * rows];
        for (row, post) in self.owners().enumerate() {
            owns[post * rows + row] = 1.0;
        }
        let owns = TensorData::new(owns, [posts, rows]);
        Tensor::from_data(owns, &self.rows.device()).matmul(self.rows.clone())
    }

    /// The softmax of each number over a post's own rows.
    pub fn softmax(&self) -> Self {
        let largest = self.spread(self.max().detach());
        let exponentials = self.with((self.rows.clone() - largest).exp());
        let sums = self.spread(exponentials.sum());
        self.with(exponentials.rows / sums)
    }

    /// The largest value of each number over a post's own rows.  `[B, D]`
    pub fn max(&self) -> Tensor<2> {
        let [posts, width] = [self.lengths.len(), self.rows.dims()[1]];
        let longest = self.lengths.iter().copied().max().unwrap_or(1);
        // a shorter post's last row again: it changes no largest value, and adds to no gradient
        let rows = starts(&self.lengths)
            .into_iter()
            .zip(&self.lengths)
            .flat_map(|(start, &length)| (0..longest).map(move |t| start + t.min(length - 1)));
        let rows = (self.rows.clone()).select(0, indices(rows, &self.rows.device()));
        let rows: Tensor<3> = rows.reshape([posts, longest, width]);
        rows.max_dim(1).squeeze_dim(1)
    }
}

/// Number of each post's first row.
pub(super) fn starts(lengths: &[usize]) -> Vec<usize> {
    let mut next = 0;
    let start = |&length: &usize| {
        next += length;
        next - length
    };
    lengths.iter().map(start).collect()
}

/// Row numbers as a tensor.
pub(in crate::heads) fn indices(
    rows: impl Iterator<Item = usize>,
    device: &Device,
) -> Tensor<1, Int> {
    let rows: Vec<i64> = rows.map(|row| row as i64).collect();
    Tensor::from_data(TensorData::from(rows.as_slice()), device)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_values_are_those_of_a_posts_own_rows() {
        let rows = [[1.0, -5.0], [-3.0, -2.0], [4.0, -9.0]];
        let tokens = Tokens {
            rows: Tensor::from_floats(rows, &Device::flex()),
            lengths: vec![2, 1],
        };
        let max: Vec<f32> = tokens.max().into_data().try_into_vec().unwrap();
        assert_eq!(max, [1.0, -2.0, 4.0, -9.0]);
        let values = |x: Tensor<2>| -> Vec<f32> { x.into_data().try_into_vec().unwrap() };
        assert_eq!(values(tokens.sum()), [-2.0, -7.0, 4.0, -9.0]);
        let shares = values(tokens.softmax().rows);
        let first = 1.0 / (1.0 + (-4.0f32).exp());
        let expected = [
            first,
            (-3.0f32).exp() / (1.0 + (-3.0f32).exp()),
            1.0 - first,
            0.0,
            1.0,
            1.0,
        ];
        for (index, share) in [0, 1, 2, 4, 5].map(|i| (i, shares[i])) {
            assert!(
                (share - expected[index]).abs() < 1e-6,
                "{index}: {shares:?}"
            );
        }
        let second = tokens.posts(&[1]).max();
        let second: Vec<f32> = second.into_data().try_into_vec().unwrap();
        assert_eq!(second, [4.0, -9.0]);
    }
}
