//! Token ids through a text encoder.

use std::sync::Arc;

use mmfnd_features::EncoderSpec;
use ndarray::{Array2, ArrayViewD, Axis};
use ort::value::Tensor;

use super::super::engine::Engine;
use super::graph::{Graph, Ran};
use crate::encoder::{Encoded, Encoder, Handles};
use crate::error::Error;
use crate::preset::{EncoderPreset, TOKENS};

/// Texts through a frozen text encoder.
pub struct TextEncoder {
    graph: Arc<Graph>,
    pad_id: u32,
}

impl TextEncoder {
    /// Opens the model that a preset names, with the states of its tokens where they are wanted; `pad_id` fills up
    /// shorter texts.
    pub(crate) fn open(
        preset: &EncoderPreset,
        (spec, states): (EncoderSpec, Option<&EncoderSpec>),
        pad_id: u32,
        engine: Engine,
    ) -> Result<Handles<u32>, Error> {
        let graphs = Graph::open(preset, (&spec, states), engine)?.into_iter();
        Ok(graphs
            .map(|graph| Box::new(Self { graph, pad_id }) as _)
            .collect())
    }
}

impl Encoder for TextEncoder {
    type Input = [u32];

    fn spec(&self) -> &EncoderSpec {
        &self.graph.spec
    }

    fn encode(&mut self, batch: &[&[u32]]) -> Result<Array2<f32>, Error> {
        Ok(self.run(batch)?.rows)
    }

    fn encode_with_states(&mut self, batch: &[&[u32]]) -> Result<Encoded, Error> {
        let ran = self.run(batch)?;
        let states = self.states(&ran, batch)?;
        Ok(Encoded {
            rows: ran.rows,
            states,
        })
    }
}

impl TextEncoder {
    fn run(&self, batch: &[&[u32]]) -> Result<Ran, Error> {
        let (rows, tokens) = (batch.len(), longest(batch));
        let mut inputs = Vec::new();
        for name in self.graph.inputs() {
            let values = match name {
                "input_ids" => padded(batch, tokens, i64::from(self.pad_id), |id| id.into()),
                "attention_mask" => padded(batch, tokens, 0, |_| 1),
                _ => vec![0; rows * tokens],
            };
            let tensor = Tensor::from_array(([rows, tokens], values))
                .map_err(|error| self.graph.unfit(error.to_string()))?;
            inputs.push((name, tensor.into_dyn()));
        }
        self.graph.run(rows, &inputs)
    }

    /// Of each text the states of its tokens, as many as are kept.
    fn states(&self, ran: &Ran, batch: &[&[u32]]) -> Result<Vec<Vec<f32>>, Error> {
        let Some(&[most, width]) = self.graph.states_shape() else {
            return Ok(Vec::new());
        };
        let expected = [batch.len(), longest(batch), width];
        let states = (self.graph).states(ran, (TOKENS, "token_states"), &expected)?;
        let own = |states: ArrayViewD<f32>| -> Vec<Vec<f32>> {
            let of_texts = states.outer_iter().zip(batch);
            let kept = |(states, ids): (ArrayViewD<f32>, &&[u32])| {
                let kept = ids.len().clamp(1, most).min(expected[1]);
                let kept = states.slice_axis(Axis(0), (..kept).into());
                kept.iter().copied().collect()
            };
            of_texts.map(kept).collect()
        };
        Ok(states.map(own).unwrap_or_default())
    }
}

/// Length of the longest row; a graph takes no batch without tokens.
fn longest(batch: &[&[u32]]) -> usize {
    batch.iter().map(|ids| ids.len()).max().unwrap_or(0).max(1)
}

/// Rows of `value(id)`, filled up to `tokens` with `fill`.  [B, T]
fn padded(batch: &[&[u32]], tokens: usize, fill: i64, value: fn(u32) -> i64) -> Vec<i64> {
    let mut out = vec![fill; batch.len() * tokens];
    for (ids, row) in batch.iter().zip(out.chunks_exact_mut(tokens)) {
        for (id, slot) in ids.iter().zip(row) {
            *slot = value(*id);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorter_texts_are_filled_up_and_masked() {
        let batch: [&[u32]; 2] = [&[2, 9, 3], &[2, 3]];
        assert_eq!(padded(&batch, 3, 7, |id| id.into()), [2, 9, 3, 2, 3, 7]);
        assert_eq!(padded(&batch, 3, 0, |_| 1), [1, 1, 1, 1, 1, 0]);
    }
}
