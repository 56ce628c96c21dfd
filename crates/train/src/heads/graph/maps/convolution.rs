//! Convolutions of maps whose channels lie side by side, `[N, H, W, C]`, as matrix products over the places of a map.
//!
//! Burn 0.22 has no derivative of its own for convolutions on the processor: its weight gradient is a convolution with
//! the channels as batch, many thin products. Here a 1 × 1 convolution is one product, and a larger one is unfolded, a
//! few pictures at a time, into rows that a product can read; the derivatives are the same products transposed.

use std::borrow::Cow;

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use rayon::prelude::*;

use super::super::flex::{Plain, is_flex, plain, tensor, tracked, values};
use super::super::product::{
    Matrix, add_product, product, product_of, product_over, room, written,
};
use super::buffer::{room_in, with_buffer};
use super::sizes::{Sizes, Window};
use super::winograd;

/// Values that are unfolded at a time: 32 MB, or a picture where that is more.
const UNFOLDED: usize = 1 << 23;

/// # Shapes
/// - `x`: `[N, H, W, C_input]`
/// - `weight`: `[C_output, C_input, size, size]`, as PyTorch has it
/// - output: `[N, H', W', C_output]` with `H' = (H + 2 padding − size) / stride + 1`
pub(in crate::heads) fn convolution(x: Tensor<4>, weight: Tensor<4>, window: Window) -> Tensor<4> {
    if !is_flex(&x.device()) {
        let Window {
            stride, padding, ..
        } = window;
        let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
        let y = conv2d(x.permute([0, 3, 1, 2]), weight, None, options);
        return y.permute([0, 2, 3, 1]);
    }
    let sizes = Sizes::of(&x, &weight, window);
    if !x.is_autodiff() {
        let output = forward(&plain(x), &plain(weight), sizes);
        return Tensor::from_primitive::<Flex>(output);
    }
    let (x, x_node) = tracked(x);
    let (weight, weight_node) = tracked(weight);
    let output = forward(&x, &weight, sizes);
    let prepared = Step
        .prepare::<NoCheckpointing>([x_node, weight_node])
        .compute_bound();
    let output = match prepared.stateful() {
        OpsKind::Tracked(step) => step.finish(Saved { x, weight, sizes }, output),
        OpsKind::UnTracked(step) => step.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// How a convolution is unfolded.
impl Sizes {
    /// Values that a place of the output reads.
    fn reads(self) -> usize {
        self.window.size * self.window.size * self.d_input
    }

    /// Whether each place reads its own channels alone, so that nothing has to be unfolded.
    fn is_pointwise(self) -> bool {
        self.window
            == Window {
                size: 1,
                stride: 1,
                padding: 0,
            }
    }

    /// Pictures that are unfolded together.
    fn band(self) -> usize {
        match self.is_pointwise() {
            true => self.pictures,
            false => (UNFOLDED / (self.places() * self.reads())).clamp(1, self.pictures),
        }
    }

    /// For each place of an output row by row, and each row of its window: where what it reads begins in the picture
    /// and in the unfolded row, and how many values that are; none beyond the edges.
    fn runs(self, mut each: impl FnMut(usize, usize, usize)) {
        let Window {
            size,
            stride,
            padding,
        } = self.window;
        let [height, width] = self.input;
        for place in 0..self.places() {
            let (top, left) = (
                place / self.output[1] * stride,
                place % self.output[1] * stride,
            );
            let first = padding.saturating_sub(left);
            let end = size.min(width + padding - left);
            for row in 0..size {
                let y = top + row;
                if y < padding || y - padding >= height || first >= end {
                    continue;
                }
                let from = ((y - padding) * width + left + first - padding) * self.d_input;
                let to = place * self.reads() + (row * size + first) * self.d_input;
                each(from, to, (end - first) * self.d_input);
            }
        }
    }

    /// What each place of some pictures reads, in a buffer unless it lies there already.  `[pictures · H'W', size²
    /// C_input]`
    fn unfold<'a>(self, x: &'a [f32], buffer: &'a mut Vec<f32>) -> &'a [f32] {
        if self.is_pointwise() {
            return x;
        }
        let unfolded = room_in(
            buffer,
            x.len() / self.picture() * self.places() * self.reads(),
        );
        let pictures = unfolded.par_chunks_exact_mut(self.places() * self.reads());
        pictures
            .zip(x.par_chunks_exact(self.picture()))
            .for_each(|(unfolded, x)| {
                let mut written = 0;
                self.runs(|from, to, length| {
                    unfolded[written..to].fill(0.0);
                    unfolded[to..to + length].copy_from_slice(&x[from..from + length]);
                    written = to + length;
                });
                unfolded[written..].fill(0.0);
            });
        unfolded
    }

    /// The transpose of [`Sizes::unfold`]: adds to each value of the input what its readers have.
    fn fold(self, unfolded: &[f32], x: &mut [f32]) {
        let pictures = unfolded.par_chunks_exact(self.places() * self.reads());
        pictures
            .zip(x.par_chunks_exact_mut(self.picture()))
            .for_each(|(unfolded, x)| {
                self.runs(|from, to, length| {
                    let read = &unfolded[to..to + length];
                    for (x, read) in x[from..from + length].iter_mut().zip(read) {
                        *x += read;
                    }
                });
            });
    }

    /// From PyTorch's order of a weight, `[C_output, C_input, size²]`, to that of an unfolded row, `[C_output, size²,
    /// C_input]`.
    fn in_order_of_reads(self, weight: &[f32]) -> Cow<'_, [f32]> {
        match self.window.size {
            1 => Cow::Borrowed(weight),
            size => Cow::Owned(transposed(weight, self.d_input, size * size)),
        }
    }
}

/// Each `[rows, columns]` matrix of a list transposed.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut turned = vec![0.0; values.len()];
    let matrices = turned.par_chunks_exact_mut(rows * columns);
    matrices
        .zip(values.par_chunks_exact(rows * columns))
        .for_each(|(turned, values)| {
            for (row, values) in values.chunks_exact(columns).enumerate() {
                for (column, value) in values.iter().enumerate() {
                    turned[column * rows + row] = *value;
                }
            }
        });
    turned
}

fn forward(x: &Plain, weight: &Plain, sizes: Sizes) -> Plain {
    let (places, reads, d_output) = (sizes.places(), sizes.reads(), sizes.d_output);
    let [height, width] = sizes.output;
    let shape = [sizes.pictures, height, width, d_output];
    let weight = sizes.in_order_of_reads(values(weight));
    if winograd::is_one(sizes) {
        return tensor(winograd::forward(values(x), &weight, sizes), shape);
    }
    let weight = Matrix::new(&weight, d_output, reads);
    let mut output = room(sizes.pictures * places * d_output);
    let bands = output.chunks_mut(sizes.band() * places * d_output);
    with_buffer(|buffer| {
        for (output, x) in bands.zip(values(x).chunks(sizes.band() * sizes.picture())) {
            let unfolded = sizes.unfold(x, buffer);
            let rows = unfolded.len() / reads;
            product(output, Matrix::new(unfolded, rows, reads), weight.t());
        }
    });
    // SAFETY: the bands are all of the pictures, and each is written by its product.
    tensor(unsafe { written(output) }, shape)
}

/// What the derivative needs.
#[derive(Clone, Debug)]
struct Saved {
    x: Plain,
    weight: Plain,
    sizes: Sizes,
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 2> for Step {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let Saved { x, weight, sizes } = ops.state;
        let [x_node, weight_node] = ops.parents;
        if let Some(node) = x_node {
            let d_x = d_input(&weight, &gradient, sizes);
            gradients.register::<Flex>(node.id, tensor(d_x, x.shape()));
        }
        if let Some(node) = weight_node {
            let d_weight = d_weight(&x, &gradient, sizes);
            gradients.register::<Flex>(node.id, tensor(d_weight, weight.shape()));
        }
    }
}

/// Gradient of the input.
fn d_input(weight: &Plain, gradient: &Plain, sizes: Sizes) -> Vec<f32> {
    let (reads, d_output) = (sizes.reads(), sizes.d_output);
    let weight = sizes.in_order_of_reads(values(weight));
    if winograd::is_one(sizes) {
        return winograd::d_input(values(gradient), &weight, sizes);
    }
    let weight = Matrix::new(&weight, d_output, reads);
    let rows_of = |gradient: &[f32]| gradient.len() / d_output;
    if sizes.is_pointwise() {
        let gradient = values(gradient);
        return product_of(Matrix::new(gradient, rows_of(gradient), d_output), weight);
    }
    let mut d_x = vec![0.0; sizes.pictures * sizes.picture()];
    let bands = d_x.chunks_mut(sizes.band() * sizes.picture());
    let gradients = values(gradient).chunks(sizes.band() * sizes.places() * d_output);
    with_buffer(|buffer| {
        for (d_x, gradient) in bands.zip(gradients) {
            let gradient = Matrix::new(gradient, rows_of(gradient), d_output);
            let unfolded = room_in(buffer, gradient.rows() * reads);
            product_over(unfolded, gradient, weight);
            sizes.fold(unfolded, d_x);
        }
    });
    d_x
}

/// Gradient of the weight.
fn d_weight(x: &Plain, gradient: &Plain, sizes: Sizes) -> Vec<f32> {
    let d_weight = match winograd::is_one(sizes) {
        true => winograd::d_weight(values(x), values(gradient), sizes),
        false => d_weight_of_reads(x, gradient, sizes),
    };
    match sizes.window.size {
        1 => d_weight,
        size => transposed(&d_weight, size * size, sizes.d_input),
    }
}

/// In the order of an unfolded row.
fn d_weight_of_reads(x: &Plain, gradient: &Plain, sizes: Sizes) -> Vec<f32> {
    let (reads, d_output) = (sizes.reads(), sizes.d_output);
    let mut d_weight = vec![0.0; d_output * reads];
    let bands = values(x).chunks(sizes.band() * sizes.picture());
    let gradients = values(gradient).chunks(sizes.band() * sizes.places() * d_output);
    with_buffer(|buffer| {
        for (x, gradient) in bands.zip(gradients) {
            let unfolded = sizes.unfold(x, buffer);
            let rows = gradient.len() / d_output;
            let gradient = Matrix::new(gradient, rows, d_output);
            let unfolded = Matrix::new(unfolded, rows, reads);
            add_product(&mut d_weight, gradient.t(), unfolded);
        }
    });
    d_weight
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    /// Output, gradient of the input and of the weight, by our products and by Burn's own convolution.
    fn both_ways(sides: [usize; 2], channels: [usize; 2], window: Window) -> [[Tensor<4>; 3]; 2] {
        let device = Device::flex().autodiff();
        let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Default, &device);
        let x = random([3, sides[0], sides[1], channels[0]]).require_grad();
        let weight = random([channels[1], channels[0], window.size, window.size]).require_grad();
        let ours = convolution(x.clone(), weight.clone(), window);
        let Window {
            stride, padding, ..
        } = window;
        let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
        let burns = conv2d(
            x.clone().permute([0, 3, 1, 2]),
            weight.clone(),
            None,
            options,
        );
        [ours, burns.permute([0, 2, 3, 1])].map(|y| {
            let loss = (y.clone() * y.clone()).sum();
            let mut gradients = loss.backward();
            let gradient = |of: &Tensor<4>, gradients: &mut _| of.grad_remove(gradients).unwrap();
            let (x, weight) = (
                gradient(&x, &mut gradients),
                gradient(&weight, &mut gradients),
            );
            [y.inner(), x, weight]
        })
    }

    fn are_alike(channels: [usize; 2], windows: &[[usize; 3]]) {
        for &[size, stride, padding] in windows {
            let window = Window {
                size,
                stride,
                padding,
            };
            let [ours, burns] = both_ways([9, 8], channels, window);
            for (ours, burns) in ours.into_iter().zip(burns) {
                assert_eq!(ours.dims(), burns.dims(), "{window:?}");
                let scale: f32 = burns.clone().abs().max().into_scalar();
                let largest: f32 = (ours - burns).abs().max().into_scalar();
                assert!(largest < 1e-5 * scale, "{window:?}: {largest} of {scale}");
            }
        }
    }

    #[test]
    fn products_are_the_convolutions_of_burn() {
        let others = [
            [1, 1, 0],
            [1, 2, 0],
            [3, 1, 1],
            [3, 2, 1],
            [7, 2, 3],
            [6, 4, 1],
        ];
        are_alike([5, 4], &others);
        // the tiles of Winograd, at every edge
        are_alike([32, 48], &[[3, 1, 0], [3, 1, 1], [3, 1, 2]]);
    }
}
