//! Attention between the numbers of two vectors, each number a token of its own.
//!
//! A post of 256 numbers and 4 heads has 262,144 weights, of which nothing is kept on the processor but which ones were
//! dropped, a bit each: a row of them is computed, summed and forgotten, and computed again for the derivative.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::flex::{Plain, is_flex, plain, tensor, tracked, values};
use super::lanes::{exponential, total};

/// Which weights are dropped: those whose word of the generator, a word for each weight in their order, is not below
/// the threshold. The others are scaled.
#[derive(Clone, Debug)]
pub(crate) struct Dropped {
    pub words: ChaCha8Rng,
    pub threshold: u32,
    pub scale: f32,
}

impl Dropped {
    /// Whether each of `count` weights from the `first` on is kept.
    fn keeps(&self, first: usize, count: usize) -> impl Iterator<Item = bool> {
        let mut words = self.words.clone();
        words.set_word_pos(first as u128);
        let mut bytes = vec![[0; 4]; count];
        words.fill_bytes(bytes.as_flattened_mut());
        let threshold = self.threshold;
        let words = bytes.into_iter().map(u32::from_le_bytes);
        words.map(move |word| word < threshold)
    }
}

/// Of each head and each number of `x` the mean of `y`, weighed by softmax(s · x_i · y_j) over j, some of whose weights
/// may be dropped.
///
/// # Shapes
/// - `x`, `y`: `[B, D]`
/// - `scales`: `[heads]`
/// - output: `[B, heads, D]`
pub(crate) fn co_attention(
    x: Tensor<2>,
    y: Tensor<2>,
    scales: Tensor<1>,
    dropped: Option<Dropped>,
) -> Tensor<3> {
    if !is_flex(&x.device()) {
        return by_burn(x, y, scales, dropped);
    }
    if !x.is_autodiff() {
        let inputs = [plain(x), plain(y), plain(scales)];
        return Tensor::from_primitive::<Flex>(Saved::new(inputs, dropped).1);
    }
    let [(x, x_node), (y, y_node)] = [x, y].map(tracked);
    let (scales, scales_node) = tracked(scales);
    let (saved, output) = Saved::new([x, y, scales], dropped);
    let prepared = Step
        .prepare::<NoCheckpointing>([x_node, y_node, scales_node])
        .compute_bound();
    let output = match prepared.stateful() {
        OpsKind::Tracked(step) => step.finish(saved, output),
        OpsKind::UnTracked(step) => step.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// The same sums with all weights at once.
fn by_burn(x: Tensor<2>, y: Tensor<2>, scales: Tensor<1>, dropped: Option<Dropped>) -> Tensor<3> {
    let ([posts, width], heads) = (x.dims(), scales.dims()[0]);
    let x: Tensor<4> = x.reshape([posts, 1, width, 1]);
    let row: Tensor<4> = y.clone().reshape([posts, 1, 1, width]);
    let scaled: Tensor<4> = x * scales.reshape([1, -1, 1, 1]); // [B, heads, D, 1]
    let mut weights = softmax(scaled * row, 3); // [B, heads, D, D]
    if let Some(dropped) = dropped {
        let shape = weights.dims();
        let keeps = dropped.keeps(0, shape.iter().product());
        let mask = keeps.map(|keep| if keep { dropped.scale } else { 0.0 });
        let mask = TensorData::new(mask.collect::<Vec<_>>(), shape);
        weights = weights.clone() * Tensor::from_data(mask, &weights.device());
    }
    let y: Tensor<4> = y.reshape([posts, 1, width, 1]);
    weights.matmul(y.repeat_dim(1, heads)).squeeze_dim(3)
}

/// B, heads, D.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    posts: usize,
    heads: usize,
    width: usize,
}

impl Sizes {
    /// Words of 32 bits that say which weights of a row are kept.
    fn words(self) -> usize {
        self.width.div_ceil(32)
    }

    /// Rows of a post.
    fn rows(self) -> usize {
        self.heads * self.width
    }
}

/// What the derivative needs.
#[derive(Clone, Debug)]
struct Saved {
    /// x, y, scales.
    inputs: [Plain; 3],
    /// The output.
    means: Plain,
    /// Sum of each row's exponentials.  `[B, heads, D]`
    sums: Vec<f32>,
    /// Of each row [`Sizes::words`]; none where all are kept.
    kept: Vec<u32>,
    /// What those that are kept are multiplied with.
    scale: f32,
}

impl Saved {
    fn new(inputs: [Plain; 3], dropped: Option<Dropped>) -> (Self, Plain) {
        let [x, y, scales] = &inputs;
        let [posts, width] = x.shape().dims();
        let sizes = Sizes {
            posts,
            heads: scales.shape()[0],
            width,
        };
        let scale = dropped.as_ref().map_or(1.0, |dropped| dropped.scale);
        let kept = dropped.map_or_else(Vec::new, |dropped| kept(&dropped, sizes));
        let rows = sizes.rows();
        let (mut means, mut sums) = (vec![0.0; posts * rows], vec![0.0; posts * rows]);
        let posts_of = (means.par_chunks_exact_mut(rows)).zip(sums.par_chunks_exact_mut(rows));
        posts_of.enumerate().for_each(|(post, (means, sums))| {
            let own = |values: &Plain| self::values(values)[post * width..][..width].to_vec();
            let (x, y) = (own(x), own(y));
            let mut row = Row::new(&y);
            for (index, (mean, sum)) in means.iter_mut().zip(sums).enumerate() {
                let t = values(scales)[index / width] * x[index % width];
                row.kept(&kept, post * rows + index, sizes);
                let weighted;
                (*sum, weighted) = row.sums(t);
                *mean = scale * weighted / *sum;
            }
        });
        let means = tensor(means, [posts, sizes.heads, width]);
        let saved = Self {
            inputs,
            means: means.clone(),
            sums,
            kept,
            scale,
        };
        (saved, means)
    }

    /// Gradients of x, y and scales.
    fn backward(&self, gradient: &Plain) -> [Plain; 3] {
        let [x, y, scales] = &self.inputs;
        let [posts, width] = x.shape().dims();
        let heads = scales.shape()[0];
        let sizes = Sizes {
            posts,
            heads,
            width,
        };
        let rows = sizes.rows();
        let (mut d_x, mut d_y) = (vec![0.0; posts * width], vec![0.0; posts * width]);
        let mut d_scales = vec![0.0; posts * heads];
        let posts_of = (d_x.par_chunks_exact_mut(width))
            .zip(d_y.par_chunks_exact_mut(width))
            .zip(d_scales.par_chunks_exact_mut(heads));
        posts_of
            .enumerate()
            .for_each(|(post, ((d_x, d_y), d_scales))| {
                let own = |values: &Plain| self::values(values)[post * width..][..width].to_vec();
                let (x, y) = (own(x), own(y));
                let mut row = Row::new(&y);
                for index in 0..rows {
                    let (head, i) = (index / width, index % width);
                    let at = post * rows + index;
                    let scale = values(scales)[head];
                    row.kept(&self.kept, at, sizes);
                    let share = values(gradient)[at] / self.sums[at];
                    let mean = values(&self.means)[at];
                    let d_t = row.backward(scale * x[i], (share, mean, self.scale));
                    d_x[i] += scale * d_t;
                    d_scales[head] += x[i] * d_t;
                }
                d_y.copy_from_slice(&row.gradient[..width]);
            });
        let mut of_heads = vec![0.0; heads];
        super::product::add_rows(&mut of_heads, &d_scales);
        [
            tensor(d_x, [posts, width]),
            tensor(d_y, [posts, width]),
            tensor(of_heads, [heads]),
        ]
    }
}

/// Which weights are kept, row by row; no bit is set behind a row's last weight.
fn kept(dropped: &Dropped, sizes: Sizes) -> Vec<u32> {
    let (rows, words, width) = (sizes.rows(), sizes.words(), sizes.width);
    let mut kept = vec![0; sizes.posts * rows * words];
    let posts = kept.par_chunks_exact_mut(rows * words).enumerate();
    posts.for_each(|(post, kept)| {
        let mut drawn = dropped.words.clone();
        drawn.set_word_pos((post * rows * width) as u128);
        let mut bytes = vec![[[0xff; 4]; 32]; words]; // behind the last weight above any threshold
        for row in kept.chunks_exact_mut(words) {
            let own = bytes.as_flattened_mut().as_flattened_mut();
            drawn.fill_bytes(&mut own[..4 * width]);
            for (word, bytes) in row.iter_mut().zip(&bytes) {
                *word = below(bytes, dropped.threshold);
            }
        }
    });
    kept
}

/// A bit for each of these words that is below the threshold.
fn below(words: &[[u8; 4]; 32], threshold: u32) -> u32 {
    widest!(below_by_lanes(words, threshold))
}

#[inline(always)]
fn below_by_lanes(words: &[[u8; 4]; 32], threshold: u32) -> u32 {
    let mut bits = [0; 32];
    for k in 0..32 {
        let is_below = u32::from_le_bytes(words[k]) < threshold;
        bits[k] = if is_below { BITS[k] } else { 0 };
    }
    let mut count = 16;
    while count > 0 {
        for k in 0..count {
            bits[k] |= bits[k + count];
        }
        count /= 2;
    }
    bits[0]
}

/// The weights of one number of x, and what they are multiplied with; filled up to whole words of 32.
struct Row {
    /// y; behind it what has no weight.
    y: Vec<[f32; 32]>,
    /// 1 where y has a number.
    there: Vec<[f32; 32]>,
    /// 1 where the weight is kept.
    keeps: Vec<[f32; 32]>,
    /// Sum of the gradients of y.
    gradient: Vec<f32>,
    least: f32,
    largest: f32,
}

const BITS: [u32; 32] = {
    let mut bits = [0; 32];
    let mut k = 0;
    while k < 32 {
        bits[k] = 1 << k;
        k += 1;
    }
    bits
};

impl Row {
    fn new(y: &[f32]) -> Self {
        let blocks = |of: &dyn Fn(usize) -> f32| -> Vec<[f32; 32]> {
            let block = |block: usize| std::array::from_fn(|k| of(32 * block + k));
            (0..y.len().div_ceil(32)).map(block).collect()
        };
        let there = blocks(&|j| f32::from(j < y.len()));
        Self {
            // the first number again, which lies between the least and the largest
            y: blocks(&|j| y[if j < y.len() { j } else { 0 }]),
            keeps: there.clone(),
            gradient: vec![0.0; 32 * there.len()],
            there,
            least: y.iter().copied().fold(f32::INFINITY, f32::min),
            largest: y.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        }
    }

    /// Which weights of this row are kept.
    fn kept(&mut self, kept: &[u32], row: usize, sizes: Sizes) {
        let words = sizes.words();
        let own = kept.get(row * words..(row + 1) * words).unwrap_or_default();
        for (keeps, word) in self.keeps.iter_mut().zip(own) {
            for (keep, bit) in keeps.iter_mut().zip(BITS) {
                *keep = if word & bit == 0 { 0.0 } else { 1.0 };
            }
        }
    }

    /// The largest exponent: of numbers times t it is that of the largest or of the least.
    fn top(&self, t: f32) -> f32 {
        if t < 0.0 {
            t * self.least
        } else {
            t * self.largest
        }
    }

    /// Σ e^(t y − top), and Σ over those that are kept of that times y.
    fn sums(&self, t: f32) -> (f32, f32) {
        widest!(self.sums_by_lanes(t))
    }

    #[inline(always)]
    fn sums_by_lanes(&self, t: f32) -> (f32, f32) {
        let top = self.top(t);
        let (mut sum, mut weighted) = ([0.0; 32], [0.0; 32]);
        let blocks = self.y.iter().zip(&self.there).zip(&self.keeps);
        for ((y, there), keeps) in blocks {
            for k in 0..32 {
                let e = exponential(t * y[k] - top) * there[k];
                sum[k] += e;
                weighted[k] += e * keeps[k] * y[k];
            }
        }
        // 0 t is 0 unless t is infinite or not a number, which must not be hidden
        (total(sum), total(weighted) + 0.0 * t)
    }

    /// Adds to the gradient of y; what is returned is that of t. `share`: the output's gradient over the sum of the
    /// exponentials; `mean`: the output.
    fn backward(&mut self, t: f32, of_row: (f32, f32, f32)) -> f32 {
        widest!(self.backward_by_lanes(t, of_row))
    }

    #[inline(always)]
    fn backward_by_lanes(&mut self, t: f32, (share, mean, scale): (f32, f32, f32)) -> f32 {
        let top = self.top(t);
        let mut d_t = [0.0; 32];
        let blocks = self.y.iter().zip(&self.there).zip(&self.keeps);
        let gradient = self.gradient.as_chunks_mut::<32>().0;
        for (((y, there), keeps), gradient) in blocks.zip(gradient) {
            for k in 0..32 {
                let weight = share * exponential(t * y[k] - top) * there[k];
                let kept = keeps[k] * scale;
                let d_exponent = weight * (kept * y[k] - mean);
                d_t[k] += d_exponent * y[k];
                gradient[k] += weight * kept + t * d_exponent;
            }
        }
        total(d_t)
    }
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 3> for Step {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let found = ops.state.backward(&gradient);
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use rand::SeedableRng;

    fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    /// Output and gradients, by our sums or by Burn's.
    fn both(dropped: Option<&Dropped>, ours: bool) -> [Vec<f32>; 4] {
        let device = Device::flex().autodiff();
        let values = |count: usize, shift: f32| {
            let value = |i: usize| 1.5 * ((i as f32 + shift) * 12.9898).sin();
            (0..count).map(value).collect::<Vec<_>>()
        };
        let matrix = |shift| {
            let data = TensorData::new(values(3 * 37, shift), [3, 37]);
            Tensor::<2>::from_data(data, &device).require_grad()
        };
        let (x, y) = (matrix(0.0), matrix(0.5));
        let scales: Tensor<1> = Tensor::from_floats([0.7, -1.9], &device).require_grad();
        let run = if ours { co_attention } else { by_burn };
        let output = run(x.clone(), y.clone(), scales.clone(), dropped.cloned());
        let weights = TensorData::new(values(3 * 2 * 37, 0.25), [3, 2, 37]);
        let loss = (output.clone() * Tensor::from_data(weights, &device)).sum();
        let gradients = loss.backward();
        [
            numbers(output),
            numbers(x.grad(&gradients).unwrap()),
            numbers(y.grad(&gradients).unwrap()),
            numbers(scales.grad(&gradients).unwrap()),
        ]
    }

    #[test]
    fn our_sums_and_derivatives_are_burns() {
        let dropped = Dropped {
            words: ChaCha8Rng::seed_from_u64(5),
            threshold: u32::MAX / 2,
            scale: 2.0,
        };
        for dropped in [None, Some(&dropped)] {
            let (ours, burns) = (both(dropped, true), both(dropped, false));
            for (ours, burns) in ours.iter().zip(&burns) {
                let largest = burns
                    .iter()
                    .fold(0.0f32, |most, value| most.max(value.abs()));
                for (ours, burns) in ours.iter().zip(burns) {
                    assert!((ours - burns).abs() <= 1e-5 * largest, "{ours} {burns}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let device = Device::flex();
        let x: Tensor<2> = Tensor::from_floats([[f32::NAN, 1.0]], &device);
        let y = Tensor::from_floats([[1.0, 2.0]], &device);
        let scales = Tensor::from_floats([1.0], &device);
        let means = numbers(co_attention(x, y, scales, None));
        assert!(means[0].is_nan() && means[1].is_finite(), "{means:?}");
    }
}
