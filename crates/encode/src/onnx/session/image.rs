//! Pixels through an image encoder.

use std::sync::Arc;

use mmfnd_features::EncoderSpec;
use ndarray::{Array2, ArrayViewD};
use ort::value::Tensor;

use super::super::engine::Engine;
use super::graph::{Graph, Ran};
use crate::encoder::{Encoded, Encoder, Handles};
use crate::error::Error;
use crate::preset::{EncoderPreset, MAPS};

/// Pictures through a frozen image encoder.
pub struct ImageEncoder {
    graph: Arc<Graph>,
    /// `[3, H, W]` of one picture.
    pixels: [usize; 3],
}

impl ImageEncoder {
    /// Opens the model that a preset names, with its map where that is wanted; `size` is width and height of its input.
    pub(crate) fn open(
        preset: &EncoderPreset,
        (spec, states): (EncoderSpec, Option<&EncoderSpec>),
        size: (u32, u32),
        engine: Engine,
    ) -> Result<Handles<f32>, Error> {
        let graphs = Graph::open(preset, (&spec, states), engine)?.into_iter();
        let pixels = [3, size.1 as usize, size.0 as usize];
        Ok(graphs
            .map(|graph| Box::new(Self { graph, pixels }) as _)
            .collect())
    }
}

impl Encoder for ImageEncoder {
    type Input = [f32];

    fn spec(&self) -> &EncoderSpec {
        &self.graph.spec
    }

    fn encode(&mut self, batch: &[&[f32]]) -> Result<Array2<f32>, Error> {
        Ok(self.run(batch)?.rows)
    }

    fn encode_with_states(&mut self, batch: &[&[f32]]) -> Result<Encoded, Error> {
        let ran = self.run(batch)?;
        let states = self.maps(&ran, batch.len())?;
        Ok(Encoded {
            rows: ran.rows,
            states,
        })
    }
}

impl ImageEncoder {
    fn run(&self, batch: &[&[f32]]) -> Result<Ran, Error> {
        let [channels, height, width] = self.pixels;
        let shape = [batch.len(), channels, height, width];
        let tensor = Tensor::from_array((shape, batch.concat()))
            .map_err(|error| self.graph.unfit(error.to_string()))?;
        let inputs = [("pixel_values", tensor.into_dyn())];
        self.graph.run(batch.len(), &inputs)
    }

    /// Of each picture its map.
    fn maps(&self, ran: &Ran, rows: usize) -> Result<Vec<Vec<f32>>, Error> {
        let Some(shape) = self.graph.states_shape() else {
            return Ok(Vec::new());
        };
        let maps = (self.graph).states(ran, (MAPS, "map_shape"), &[&[rows], shape].concat())?;
        let own = |maps: ArrayViewD<f32>| -> Vec<Vec<f32>> {
            let maps = maps.outer_iter();
            maps.map(|map| map.iter().copied().collect()).collect()
        };
        Ok(maps.map(own).unwrap_or_default())
    }
}
