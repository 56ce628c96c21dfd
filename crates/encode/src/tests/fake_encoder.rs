//! An encoder that needs no weights.

use std::marker::PhantomData;

use mmfnd_features::EncoderSpec;
use mmfnd_posts::hash::sha256;
use ndarray::Array2;

use crate::{Encoder, Error};

/// Deterministic stand-in without weights: the features are a hash of the input.
pub(super) struct FakeEncoder<T> {
    spec: EncoderSpec,
    feels_batch: bool,
    input: PhantomData<fn(T)>,
}

impl<T> FakeEncoder<T> {
    /// Makes one with this identity.
    pub(super) fn new(spec: EncoderSpec) -> Self {
        Self {
            spec,
            feels_batch: false,
            input: PhantomData,
        }
    }

    /// Lets each row depend a little on its batch, as sums in real runtimes do: shows whether batches are repeated.
    pub(super) fn feeling_its_batch(mut self) -> Self {
        self.feels_batch = true;
        self
    }

    fn rows<'a>(&self, inputs: impl ExactSizeIterator<Item = Vec<u8>> + 'a) -> Array2<f32> {
        let rows = inputs.len();
        let width: usize = self.spec.shape.iter().product();
        let inputs: Vec<Vec<u8>> = inputs.collect();
        let nudge = if self.feels_batch {
            unit(&sha256(&inputs.concat()), 0) / 8.0
        } else {
            0.0
        };
        let mut values = Array2::zeros((rows, width));
        for (input, mut row) in inputs.iter().zip(values.rows_mut()) {
            let digest = sha256(&[self.spec.name.as_bytes(), input].concat());
            row.iter_mut()
                .enumerate()
                .for_each(|(i, value)| *value = unit(&digest, i) + nudge);
        }
        values
    }
}

/// The `i`-th number in -1..1 of a digest; goes round with a shift.
fn unit(digest: &[u8], i: usize) -> f32 {
    let byte = digest[i % digest.len()].rotate_left((i / digest.len() % 8) as u32);
    f32::from(byte) / 127.5 - 1.0
}

impl Encoder for FakeEncoder<u32> {
    type Input = [u32];

    fn spec(&self) -> &EncoderSpec {
        &self.spec
    }

    fn encode(&mut self, batch: &[&[u32]]) -> Result<Array2<f32>, Error> {
        let bytes = |ids: &&[u32]| ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        Ok(self.rows(batch.iter().map(bytes)))
    }
}

impl Encoder for FakeEncoder<f32> {
    type Input = [f32];

    fn spec(&self) -> &EncoderSpec {
        &self.spec
    }

    fn encode(&mut self, batch: &[&[f32]]) -> Result<Array2<f32>, Error> {
        let bytes = |pixels: &&[f32]| pixels.iter().flat_map(|v| v.to_le_bytes()).collect();
        Ok(self.rows(batch.iter().map(bytes)))
    }
}
