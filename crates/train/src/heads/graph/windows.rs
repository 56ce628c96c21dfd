//! Windows of k tokens of each post times one matrix, and of all windows of a post the largest.
//!
//! A window of k tokens is k D numbers that stand side by side already: the next window begins D numbers later, and no
//! window is copied. Where only the largest is wanted, its derivative reaches one window a post and number, which makes
//! it a hundredth of the forward pass. On other devices [`Conv`](crate::heads::Conv) does the same with Burn's
//! operations.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::flex::{Plain, plain, tensor, tracked, values};
use super::product::{Matrix, add_product, product_of, sum_of_rows};

/// Outputs that a thread adds up at a time: their windows' gradients stay in its cache.
const BLOCK: usize = 64;
/// Rows that are turned at a time: as many numbers as a cache line has.
const LINE: usize = 16;

/// Rows and weights of one convolution.
pub(crate) struct Windows<'a> {
    /// Tokens of all posts.  `[ΣT, D]`
    pub rows: Tensor<2>,
    /// T of each post.
    pub lengths: &'a [usize],
    /// `[k, D, out]`
    pub weight: Tensor<3>,
    /// `[out]`
    pub bias: Tensor<1>,
}

impl Windows<'_> {
    /// All windows: T − k + 1 of each post, or one of a shorter one, filled up with zero.  `[ΣW, out]`
    pub fn all(self) -> Tensor<2> {
        self.run::<AllStep>()
    }

    /// Of each post and number the largest.  `[B, out]`
    pub fn largest(self) -> Tensor<2> {
        self.run::<LargestStep>()
    }

    fn run<S: OfWindows>(self) -> Tensor<2> {
        let posts = posts(self.lengths, self.weight.dims()[0]);
        if !self.rows.is_autodiff() {
            let inputs = [plain(self.rows), plain(self.weight), plain(self.bias)];
            return Tensor::from_primitive::<Flex>(S::forward(inputs, posts).1);
        }
        let (rows, rows_node) = tracked(self.rows);
        let (weight, weight_node) = tracked(self.weight);
        let (bias, bias_node) = tracked(self.bias);
        let (saved, output) = S::forward([rows, weight, bias], posts);
        let prepared = S::default()
            .prepare::<NoCheckpointing>([rows_node, weight_node, bias_node])
            .compute_bound();
        let output = match prepared.stateful() {
            OpsKind::Tracked(step) => step.finish(saved, output),
            OpsKind::UnTracked(step) => step.finish(output),
        };
        Tensor::from_primitive::<Autodiff<Flex>>(output)
    }
}

/// Where a post's tokens and windows stand.
#[derive(Clone, Copy, Debug)]
struct Post {
    /// Its first row.
    start: usize,
    tokens: usize,
    windows: usize,
}

fn posts(lengths: &[usize], window: usize) -> Vec<Post> {
    let mut next = 0;
    let post = |&tokens: &usize| {
        next += tokens;
        Post {
            start: next - tokens,
            tokens,
            windows: (tokens + 1).saturating_sub(window).max(1),
        }
    };
    lengths.iter().map(post).collect()
}

/// What the derivative needs.
#[derive(Clone, Debug)]
struct Saved {
    rows: Plain,
    weight: Plain,
    posts: Vec<Post>,
    /// Of each post and output the number of the largest window; empty where all are put out.
    places: Vec<u32>,
}

/// One of the two operations.
trait OfWindows: Backward<Flex, 3, State = Saved> + Default {
    /// Of rows, weight and bias.
    fn forward(inputs: [Plain; 3], posts: Vec<Post>) -> (Saved, Plain);
}

/// k, D, outputs.
#[derive(Clone, Copy)]
struct Sizes {
    window: usize,
    width: usize,
    outputs: usize,
}

impl Sizes {
    fn of(weight: &Plain) -> Self {
        let [window, width, outputs] = weight.shape().dims();
        Self {
            window,
            width,
            outputs,
        }
    }

    /// Numbers of a window.
    fn numbers(self) -> usize {
        self.window * self.width
    }

    /// The numbers of a window, fewer of a post that is shorter.
    fn own(self, rows: &[f32], post: Post, window: usize) -> &[f32] {
        let tokens = self.window.min(post.tokens);
        &rows[(post.start + window) * self.width..][..tokens * self.width]
    }
}

/// A row for each token with which a window may begin, whether it is one post's or not; and one for each post that is
/// shorter than a window.
struct Products {
    of_tokens: Vec<f32>,
    of_short: Vec<f32>,
}

impl Products {
    fn of([rows, weight, bias]: &[Plain; 3], posts: &[Post]) -> Self {
        let (sizes, rows) = (Sizes::of(weight), values(rows));
        let matrix = Matrix::new(values(weight), sizes.numbers(), sizes.outputs);
        let windows = Matrix::windows(rows, sizes.width, sizes.window);
        let mut of_tokens = values(bias).repeat(windows.rows());
        add_product(&mut of_tokens, windows, matrix);
        let short: Vec<_> = posts.iter().filter(|post| post.is_short(sizes)).collect();
        let mut filled = vec![0.0; short.len() * sizes.numbers()];
        for (filled, &&post) in filled.chunks_exact_mut(sizes.numbers()).zip(&short) {
            let own = sizes.own(rows, post, 0);
            filled[..own.len()].copy_from_slice(own);
        }
        let mut of_short = values(bias).repeat(short.len());
        let filled = Matrix::new(&filled, short.len(), sizes.numbers());
        add_product(&mut of_short, filled, matrix);
        Self {
            of_tokens,
            of_short,
        }
    }

    /// The rows of each post's windows.
    fn of_posts<'a>(&'a self, posts: &'a [Post], sizes: Sizes) -> Vec<&'a [f32]> {
        let mut short = self.of_short.chunks_exact(sizes.outputs);
        let own = |post: &Post| match post.is_short(sizes) {
            true => short.next().expect("one for each of them"),
            false => &self.of_tokens[post.start * sizes.outputs..][..post.windows * sizes.outputs],
        };
        posts.iter().map(own).collect()
    }
}

impl Post {
    fn is_short(self, sizes: Sizes) -> bool {
        self.tokens < sizes.window
    }
}

/// With every window put out.
#[derive(Debug, Default)]
struct AllStep;

impl OfWindows for AllStep {
    fn forward(inputs: [Plain; 3], posts: Vec<Post>) -> (Saved, Plain) {
        let sizes = Sizes::of(&inputs[1]);
        let products = Products::of(&inputs, &posts);
        let output = products.of_posts(&posts, sizes).concat();
        let count = posts.iter().map(|post| post.windows).sum();
        let [rows, weight, _] = inputs;
        let saved = Saved {
            rows,
            weight,
            posts,
            places: Vec::new(),
        };
        (saved, tensor(output, [count, sizes.outputs]))
    }
}

impl Backward<Flex, 3> for AllStep {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let (saved, gradient) = (ops.state, values(&gradient));
        let sizes = Sizes::of(&saved.weight);
        let rows = values(&saved.rows);
        let windows = Matrix::windows(rows, sizes.width, sizes.window);
        // as wide as the products were, zero where a window is of two posts
        let mut spread = vec![0.0; windows.rows() * sizes.outputs];
        let mut short = Vec::new();
        let mut first = 0;
        for &post in &saved.posts {
            let own = &gradient[first * sizes.outputs..][..post.windows * sizes.outputs];
            first += post.windows;
            match post.is_short(sizes) {
                true => short.push((post, own)),
                false => spread[post.start * sizes.outputs..][..own.len()].copy_from_slice(own),
            }
        }
        let spread = Matrix::new(&spread, windows.rows(), sizes.outputs);
        let [rows_node, weight_node, bias_node] = ops.parents;
        if let Some(node) = rows_node {
            let weight = Matrix::new(values(&saved.weight), sizes.numbers(), sizes.outputs);
            let mut d_rows = vec![0.0; rows.len()];
            for (token, weight) in weight.row_blocks(sizes.width).enumerate() {
                let reached = &mut d_rows[token * sizes.width..][..windows.rows() * sizes.width];
                add_product(reached, spread, weight.t());
            }
            for &(post, own) in &short {
                let weight = weight.first_rows(post.tokens * sizes.width);
                let own = Matrix::new(own, 1, sizes.outputs);
                let reached = post.tokens * sizes.width;
                let reached = &mut d_rows[post.start * sizes.width..][..reached];
                add_product(reached, own, weight.t());
            }
            gradients.register::<Flex>(node.id, tensor(d_rows, saved.rows.shape()));
        }
        if let Some(node) = weight_node {
            let mut d_weight = product_of(windows.t(), spread);
            for &(post, own) in &short {
                let tokens = sizes.own(rows, post, 0);
                let reached = &mut d_weight[..tokens.len() * sizes.outputs];
                let tokens = Matrix::new(tokens, tokens.len(), 1);
                add_product(reached, tokens, Matrix::new(own, 1, sizes.outputs));
            }
            gradients.register::<Flex>(node.id, tensor(d_weight, saved.weight.shape()));
        }
        if let Some(node) = bias_node {
            let d_bias = sum_of_rows(gradient, sizes.outputs);
            gradients.register::<Flex>(node.id, tensor(d_bias, [sizes.outputs]));
        }
    }
}

/// With the largest put out.
#[derive(Debug, Default)]
struct LargestStep;

impl OfWindows for LargestStep {
    fn forward(inputs: [Plain; 3], posts: Vec<Post>) -> (Saved, Plain) {
        let sizes = Sizes::of(&inputs[1]);
        let products = Products::of(&inputs, &posts);
        let outputs = sizes.outputs;
        let mut largest = vec![0.0; posts.len() * outputs];
        let mut places = vec![0; posts.len() * outputs];
        let of_posts = products.of_posts(&posts, sizes);
        let targets = (largest.par_chunks_exact_mut(outputs))
            .zip(places.par_chunks_exact_mut(outputs))
            .zip(of_posts);
        targets.for_each(|((largest, places), windows)| {
            largest.copy_from_slice(&windows[..outputs]);
            for (window, row) in windows.chunks_exact(outputs).enumerate().skip(1) {
                raise(largest, places, (row, window as u32));
            }
        });
        let output = tensor(largest, [posts.len(), outputs]);
        let [rows, weight, _] = inputs;
        let saved = Saved {
            rows,
            weight,
            posts,
            places,
        };
        (saved, output)
    }
}

impl Backward<Flex, 3> for LargestStep {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let (saved, gradient) = (ops.state, values(&gradient));
        let sizes = Sizes::of(&saved.weight);
        let [rows_node, weight_node, bias_node] = ops.parents;
        if let Some(node) = rows_node {
            let d_rows = saved.d_rows(gradient, sizes);
            gradients.register::<Flex>(node.id, tensor(d_rows, saved.rows.shape()));
        }
        if let Some(node) = weight_node {
            let d_weight = saved.d_weight(gradient, sizes);
            gradients.register::<Flex>(node.id, tensor(d_weight, saved.weight.shape()));
        }
        if let Some(node) = bias_node {
            let d_bias = sum_of_rows(gradient, sizes.outputs);
            gradients.register::<Flex>(node.id, tensor(d_bias, [sizes.outputs]));
        }
    }
}

impl Saved {
    /// Of the largest windows: each output's gradient times the numbers of its window.
    fn d_weight(&self, gradient: &[f32], sizes: Sizes) -> Vec<f32> {
        let (numbers, outputs) = (sizes.numbers(), sizes.outputs);
        let rows = values(&self.rows);
        let mut turned = vec![0.0; outputs * numbers]; // [out, k D]
        let block = outputs.div_ceil(8).clamp(1, BLOCK);
        let blocks = turned.par_chunks_mut(block * numbers).enumerate();
        blocks.for_each(|(index, turned)| {
            for (number, &post) in self.posts.iter().enumerate() {
                let at = number * outputs + index * block;
                let own = turned.chunks_exact_mut(numbers).zip(&gradient[at..]);
                for ((target, &gradient), &place) in own.zip(&self.places[at..]) {
                    if gradient != 0.0 {
                        add_scaled(target, sizes.own(rows, post, place as usize), gradient);
                    }
                }
            }
        });
        transposed(&turned, outputs, numbers)
    }

    /// Of the largest windows: each output's gradient times its weights.
    fn d_rows(&self, gradient: &[f32], sizes: Sizes) -> Vec<f32> {
        let (numbers, outputs) = (sizes.numbers(), sizes.outputs);
        let turned = transposed(values(&self.weight), numbers, outputs); // [out, k D]
        let mut d_rows = vec![0.0; values(&self.rows).len()];
        let (mut rest, mut of_posts) = (d_rows.as_mut_slice(), Vec::new());
        for post in &self.posts {
            let (own, others) = rest.split_at_mut(post.tokens * sizes.width);
            of_posts.push(own);
            rest = others;
        }
        of_posts
            .into_par_iter()
            .enumerate()
            .for_each(|(post, d_rows)| {
                let own = post * outputs..(post + 1) * outputs;
                let outputs = gradient[own.clone()].iter().zip(&self.places[own]);
                for ((&gradient, &place), weight) in outputs.zip(turned.chunks_exact(numbers)) {
                    let reached = &mut d_rows[place as usize * sizes.width..];
                    let count = reached.len().min(numbers);
                    add_scaled(&mut reached[..count], &weight[..count], gradient);
                }
            });
        d_rows
    }
}

/// Takes what is larger; what is not a number counts as larger than every number.
fn raise(largest: &mut [f32], places: &mut [u32], row: (&[f32], u32)) {
    widest!(raise_by_lanes(largest, places, row));
}

#[inline(always)]
fn raise_by_lanes(largest: &mut [f32], places: &mut [u32], (row, window): (&[f32], u32)) {
    let values = row.iter().zip(largest).zip(places);
    for ((&value, largest), place) in values {
        let is_larger = value > *largest || value.is_nan();
        *largest = if is_larger { value } else { *largest };
        *place = if is_larger { window } else { *place };
    }
}

/// `target += factor x`, as far as both go.
fn add_scaled(target: &mut [f32], x: &[f32], factor: f32) {
    widest!(super::lanes::add_scaled(target, x, factor));
}

/// The other way round.
fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut turned = vec![0.0; x.len()];
    let blocks = turned.par_chunks_mut(LINE * rows).enumerate();
    blocks.for_each(|(block, turned)| {
        for row in 0..rows {
            let from = &x[row * columns + block * LINE..(row + 1) * columns];
            for (target, value) in turned.chunks_exact_mut(rows).zip(from) {
                target[row] = *value;
            }
        }
    });
    turned
}
