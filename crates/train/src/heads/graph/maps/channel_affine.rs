//! `relu(x · scale + shift + residual)`, channel by channel: what a frozen batch norm, a shortcut and a ReLU come to.
//!
//! Scale and shift are fixed here, so only the maps have gradients.

use std::mem::MaybeUninit;

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use rayon::prelude::*;

use super::super::flex::{Plain, is_flex, plain, tensor, tracked, values};
use super::super::product::{room, written};

/// Rows, and values, that a thread takes at a time.
const ROWS: usize = 64;
const CHUNK: usize = 1 << 15;

/// # Shapes
/// - `x`, `residual`, output: `[N, H, W, C]`
/// - `scale`, `shift`: `[C]`
pub(in crate::heads) fn channel_affine(
    x: Tensor<4>,
    [scale, shift]: [Tensor<1>; 2],
    residual: Option<Tensor<4>>,
    is_relu: bool,
) -> Tensor<4> {
    if !is_flex(&x.device()) {
        let y = x * scale.unsqueeze() + shift.unsqueeze();
        let y = match residual {
            Some(residual) => y + residual,
            None => y,
        };
        return if is_relu { relu(y) } else { y };
    }
    let channels = [scale, shift].map(|of| plain(of.without_autodiff()));
    if !x.is_autodiff() {
        let output = forward(&plain(x), &channels, residual.map(plain).as_ref(), is_relu);
        return Tensor::from_primitive::<Flex>(output);
    }
    let (x, x_node) = tracked(x);
    let [scale, _] = channels.clone();
    let saved = |output: &Plain| Saved {
        scale,
        output: is_relu.then(|| output.clone()),
    };
    let output = match residual.map(tracked) {
        None => {
            let output = forward(&x, &channels, None, is_relu);
            let prepared = Step.prepare::<NoCheckpointing>([x_node]).compute_bound();
            match prepared.stateful() {
                OpsKind::Tracked(step) => step.finish(saved(&output), output),
                OpsKind::UnTracked(step) => step.finish(output),
            }
        }
        Some((residual, residual_node)) => {
            let output = forward(&x, &channels, Some(&residual), is_relu);
            let nodes = [x_node, residual_node];
            let prepared = Step.prepare::<NoCheckpointing>(nodes).compute_bound();
            match prepared.stateful() {
                OpsKind::Tracked(step) => step.finish(saved(&output), output),
                OpsKind::UnTracked(step) => step.finish(output),
            }
        }
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

fn forward(x: &Plain, channels: &[Plain; 2], residual: Option<&Plain>, is_relu: bool) -> Plain {
    let channels = channels.each_ref().map(values);
    let floor = if is_relu { 0.0 } else { f32::NEG_INFINITY };
    let part = ROWS * channels[0].len();
    let mut output = room(values(x).len());
    let parts = output.par_chunks_mut(part).zip(values(x).par_chunks(part));
    parts.enumerate().for_each(|(i, (output, x))| {
        let residual = residual.map(|of| &values(of)[i * part..][..x.len()]);
        widest!(write_rows(output, (x, residual), channels, floor))
    });
    // SAFETY: the parts are all of it, and `write_rows` writes each.
    tensor(unsafe { written(output) }, x.shape())
}

/// Writes all of `output`.
#[inline(always)]
fn write_rows(
    output: &mut [MaybeUninit<f32>],
    (x, residual): (&[f32], Option<&[f32]>),
    [scale, shift]: [&[f32]; 2],
    floor: f32,
) {
    // what is no number stays none
    let above = |y: f32| if y < floor { floor } else { y };
    let width = scale.len();
    let rows = output.chunks_exact_mut(width).zip(x.chunks_exact(width));
    for (i, (output, x)) in rows.enumerate() {
        let places = output.iter_mut().zip(x).zip(scale.iter().zip(shift));
        match residual {
            None => places.for_each(|((output, x), (scale, shift))| {
                output.write(above(x * scale + shift));
            }),
            Some(residual) => {
                let places = places.zip(&residual[i * width..][..width]);
                places.for_each(|(((output, x), (scale, shift)), residual)| {
                    output.write(above(residual + x * scale + shift));
                });
            }
        }
    }
}

/// What the derivative needs.
#[derive(Clone, Debug)]
struct Saved {
    scale: Plain,
    /// Where a ReLU lets nothing pass, neither does its derivative.
    output: Option<Plain>,
}

#[derive(Debug)]
struct Step;

/// Of x alone, or of x and the residual.
impl<const N: usize> Backward<Flex, N> for Step {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let Saved { scale, output } = &ops.state;
        let mut parents = ops.parents.into_iter();
        let (x, residual) = (parents.next().flatten(), parents.next().flatten());
        if let Some(node) = x {
            let d_x = passed(&gradient, output.as_ref(), Some(scale));
            gradients.register::<Flex>(node.id, d_x);
        }
        if let Some(node) = residual {
            let d_residual = match output {
                Some(_) => passed(&gradient, output.as_ref(), None),
                None => gradient,
            };
            gradients.register::<Flex>(node.id, d_residual);
        }
    }
}

/// The gradient where the output is above 0, times the scale of each channel.
fn passed(gradient: &Plain, output: Option<&Plain>, scale: Option<&Plain>) -> Plain {
    let scale = scale.map(values);
    let part = scale.map_or(CHUNK, |scale| ROWS * scale.len());
    let mut passed = room(values(gradient).len());
    let parts = passed.par_chunks_mut(part);
    let parts = parts.zip(values(gradient).par_chunks(part));
    parts.enumerate().for_each(|(i, (passed, gradient))| {
        let output = output.map(|of| &values(of)[i * part..][..gradient.len()]);
        widest!(write_passed(passed, gradient, output, scale))
    });
    // SAFETY: the parts are all of it, and `write_passed` writes each.
    tensor(unsafe { written(passed) }, gradient.shape())
}

/// Writes all of `passed`.
#[inline(always)]
fn write_passed(
    passed: &mut [MaybeUninit<f32>],
    gradient: &[f32],
    output: Option<&[f32]>,
    scale: Option<&[f32]>,
) {
    let width = scale.map_or(gradient.len(), <[f32]>::len);
    let rows = passed
        .chunks_exact_mut(width)
        .zip(gradient.chunks_exact(width));
    for (i, (passed, gradient)) in rows.enumerate() {
        let passed = passed.write_copy_of_slice(gradient);
        if let Some(output) = output {
            for (passed, output) in passed.iter_mut().zip(&output[i * width..][..width]) {
                *passed = if *output > 0.0 { *passed } else { 0.0 };
            }
        }
        if let Some(scale) = scale {
            for (passed, scale) in passed.iter_mut().zip(scale) {
                *passed *= scale;
            }
        }
    }
}
