//! The largest value of each 3 × 3 window, two places apart, channel by channel; its gradient goes to where it came
//! from.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use rayon::prelude::*;

use super::super::flex::{Plain, is_flex, plain, tensor, tracked, values};

/// Of ResNet's stem: size, stride and padding.
const WINDOW: [usize; 3] = [3, 2, 1];

/// # Shapes
/// - `x`: `[N, H, W, C]`
/// - output: `[N, H', W', C]` with `H' = (H − 1) / 2 + 1`
pub(in crate::heads) fn max_pool(x: Tensor<4>) -> Tensor<4> {
    if !is_flex(&x.device()) {
        let [size, stride, padding] = WINDOW;
        let options = MaxPoolOptions::new([size; 2])
            .with_stride([stride; 2])
            .with_padding([padding; 2]);
        let y = max_pool2d(x.permute([0, 3, 1, 2]), options);
        return y.permute([0, 2, 3, 1]);
    }
    if !x.is_autodiff() {
        let (output, _) = forward(&plain(x));
        return Tensor::from_primitive::<Flex>(output);
    }
    let (x, node) = tracked(x);
    let (output, sources) = forward(&x);
    let prepared = Step.prepare::<NoCheckpointing>([node]).compute_bound();
    let output = match prepared.stateful() {
        OpsKind::Tracked(step) => step.finish(
            Saved {
                sources,
                input: x.shape().dims(),
            },
            output,
        ),
        OpsKind::UnTracked(step) => step.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// The largest values, and for each its index in the picture that it came from.
fn forward(x: &Plain) -> (Plain, Vec<u32>) {
    let [pictures, height, width, channels] = x.shape().dims();
    let sides = [height, width].map(|side| (side - 1) / WINDOW[1] + 1);
    let picture = sides[0] * sides[1] * channels;
    let mut output = vec![f32::NEG_INFINITY; pictures * picture];
    let mut sources = vec![0; pictures * picture];
    let parts = output
        .par_chunks_mut(picture)
        .zip(sources.par_chunks_mut(picture));
    let inputs = values(x).par_chunks(height * width * channels);
    parts.zip(inputs).for_each(|((output, sources), x)| {
        let places = output
            .chunks_exact_mut(channels)
            .zip(sources.chunks_exact_mut(channels));
        for (place, (output, sources)) in places.enumerate() {
            let [rows, columns] = [(place / sides[1], height), (place % sides[1], width)]
                .map(|(place, side)| read(place, side));
            for from in rows.flat_map(|row| columns.clone().map(move |column| row * width + column))
            {
                let read = x[from * channels..][..channels].iter().enumerate();
                for ((output, source), (channel, value)) in
                    output.iter_mut().zip(&mut *sources).zip(read)
                {
                    if *value > *output {
                        (*output, *source) = (*value, (from * channels + channel) as u32);
                    }
                }
            }
        }
    });
    (
        tensor(output, [pictures, sides[0], sides[1], channels]),
        sources,
    )
}

/// What a place reads along one side of a map.
fn read(place: usize, side: usize) -> std::ops::Range<usize> {
    let [size, stride, padding] = WINDOW;
    let first = place * stride;
    first.saturating_sub(padding)..(first + size - padding).min(side)
}

/// What the derivative needs.
#[derive(Clone, Debug)]
struct Saved {
    sources: Vec<u32>,
    input: [usize; 4],
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 1> for Step {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let Saved { sources, input } = ops.state;
        let [Some(node)] = ops.parents else { return };
        let mut d_x = vec![0.0; input.iter().product()];
        let [pictures, picture] = [input[0], input[1..].iter().product()];
        let read = sources.len() / pictures;
        let parts = sources
            .par_chunks(read)
            .zip(values(&gradient).par_chunks(read));
        d_x.par_chunks_mut(picture)
            .zip(parts)
            .for_each(|(d_x, (sources, gradient))| {
                for (source, gradient) in sources.iter().zip(gradient) {
                    d_x[*source as usize] += gradient;
                }
            });
        gradients.register::<Flex>(node.id, tensor(d_x, input));
    }
}
