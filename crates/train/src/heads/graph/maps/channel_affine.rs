//! `relu(x · scale + shift + residual)`, channel by channel: what a frozen batch norm, a shortcut and a ReLU come to.
//!
//! Scale and shift are fixed here, so only the maps have gradients.

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
    let [scale, shift] = channels.each_ref().map(values);
    let (x_values, rows) = (values(x), ROWS * scale.len());
    let floor = if is_relu { 0.0 } else { f32::NEG_INFINITY };
    let mut output = residual.map_or_else(|| vec![0.0; x_values.len()], |of| values(of).to_vec());
    let parts = output.par_chunks_mut(rows).zip(x_values.par_chunks(rows));
    parts.for_each(|(output, x)| {
        let rows = output
            .chunks_exact_mut(scale.len())
            .zip(x.chunks_exact(scale.len()));
        for (output, x) in rows {
            let channels = scale.iter().zip(shift);
            for ((output, x), (scale, shift)) in output.iter_mut().zip(x).zip(channels) {
                *output = (*output + x * scale + shift).max(floor);
            }
        }
    });
    tensor(output, x.shape())
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
        let mut gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        if let Some(output) = &ops.state.output {
            gradient = passed(&gradient, output);
        }
        let mut parents = ops.parents.into_iter();
        let (x, residual) = (parents.next().flatten(), parents.next().flatten());
        if let Some(node) = x {
            let d_x = scaled(&gradient, &ops.state.scale);
            gradients.register::<Flex>(node.id, d_x);
        }
        if let Some(node) = residual {
            gradients.register::<Flex>(node.id, gradient);
        }
    }
}

/// The gradient where the output is above 0.
fn passed(gradient: &Plain, output: &Plain) -> Plain {
    let mut passed = vec![0.0; values(output).len()];
    let parts = passed
        .par_chunks_mut(CHUNK)
        .zip(values(gradient).par_chunks(CHUNK));
    parts
        .zip(values(output).par_chunks(CHUNK))
        .for_each(|((passed, gradient), output)| {
            for ((passed, gradient), output) in passed.iter_mut().zip(gradient).zip(output) {
                *passed = if *output > 0.0 { *gradient } else { 0.0 };
            }
        });
    tensor(passed, output.shape())
}

/// The gradient times the scale of each channel.
fn scaled(gradient: &Plain, scale: &Plain) -> Plain {
    let (scale, mut scaled) = (values(scale), vec![0.0; values(gradient).len()]);
    let rows = ROWS * scale.len();
    let parts = scaled
        .par_chunks_mut(rows)
        .zip(values(gradient).par_chunks(rows));
    parts.for_each(|(scaled, gradient)| {
        let rows = scaled
            .chunks_exact_mut(scale.len())
            .zip(gradient.chunks_exact(scale.len()));
        for (scaled, gradient) in rows {
            for ((scaled, gradient), scale) in scaled.iter_mut().zip(gradient).zip(scale) {
                *scaled = gradient * scale;
            }
        }
    });
    tensor(scaled, gradient.shape())
}
