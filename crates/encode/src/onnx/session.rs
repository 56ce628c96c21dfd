//! ONNX Runtime sessions as [`Encoder`]s: one for token ids, one for pixels.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use mmfnd_features::{EncoderSpec, Input};
use ndarray::{Array2, Axis};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{DynValue, Tensor, TensorElementType};

use super::engine::{Division, Engine};
use super::graph::exposed;
use super::model_file::ModelFile;
use super::runtime::Runtime;
use super::shared_session;
use super::tiles::Rewritten;
use crate::encoder::{Encoded, Encoder, Handles};
use crate::error::Error;
use crate::options::Device;
use crate::preset::{EncoderPreset, MAPS, TOKENS};

/// What an opened session needs to know to run a batch.
struct Graph {
    spec: EncoderSpec,
    model: PathBuf,
    session: Session,
    output: String,
    /// The states within it, where they are wanted: the name of their value, and their shape of one content, of tokens
    /// that of the most.
    states: Option<(String, Vec<usize>)>,
}

impl Graph {
    /// Opens a model: for each batch that runs at once the graph that runs it.
    ///
    /// ONNX Runtime's own operators may be run by several threads, so all have one graph. Ours may not, so each has its
    /// own; their weights are common to all.
    fn open(
        preset: &EncoderPreset,
        (spec, states): (&EncoderSpec, Option<&EncoderSpec>),
        engine: Engine,
    ) -> Result<Vec<Arc<Self>>, Error> {
        let states = preset.states_name().zip(states);
        let states_name = states.map(|(name, _)| name);
        let runtime = engine.runtime()?;
        let division = Division::new(engine.device, engine.threads);
        let mut file = ModelFile::read(preset, &spec.preset)?;
        let arithmetic = engine.arithmetic(spec.precision);
        let rewritten = arithmetic.and_then(|arithmetic| Rewritten::of(&file.model, arithmetic));
        if rewritten.is_some() {
            file.model = Vec::new();
        }
        let open_one = || -> Result<Arc<Self>, Error> {
            let failed = |source: ort::Error| Error::Model {
                encoder: preset.name.clone(),
                path: preset.model.clone(),
                source: Box::new(source),
            };
            let builder = start(runtime, division.threads).map_err(failed)?;
            let builder = match engine.device {
                Device::Cpu => builder,
                Device::Cuda => with_cuda(builder)?,
            };
            let session = match &rewritten {
                Some(rewritten) => {
                    commit_rewritten(builder, (rewritten, states_name), division.threads)
                }
                None => commit(builder, &file, states_name),
            };
            let graph = Self {
                spec: spec.clone(),
                model: preset.model.clone(),
                session: session.map_err(failed)?,
                output: preset.output.clone(),
                states: states.map(|(name, spec)| (name.to_owned(), spec.shape.clone())),
            };
            graph.check(&preset.output)?;
            Ok(Arc::new(graph))
        };
        if rewritten.is_some() {
            return (0..division.at_once).map(|_| open_one()).collect();
        }
        let graph = open_one()?;
        Ok(vec![graph; division.at_once])
    }

    /// Says before the first batch what the first batch would fail on.
    fn check(&self, output: &str) -> Result<(), Error> {
        let known: &[&str] = match self.spec.input {
            Input::Image => &["pixel_values"],
            Input::Text | Input::TextOcr => &["input_ids", "attention_mask", "token_type_ids"],
        };
        let outputs: Vec<&str> = self.session.outputs().iter().map(|o| o.name()).collect();
        if !outputs.contains(&output) {
            return Err(self.unfit(format!(
                "it has no output `{output}`, only `{}`; correct `output` in the preset",
                outputs.join("`, `")
            )));
        }
        if let Some(name) = self.inputs().find(|name| !known.contains(name)) {
            return Err(self.unfit(format!(
                "it asks for an input `{name}`; known are `{}`",
                known.join("`, `")
            )));
        }
        let given = match self.spec.input {
            Input::Image => TensorElementType::Float32,
            Input::Text | Input::TextOcr => TensorElementType::Int64,
        };
        let inputs = self.session.inputs().iter().map(|outlet| (outlet, given));
        let outputs = self.session.outputs().iter();
        let read = outputs.filter(|outlet| outlet.name() == output);
        let all = inputs.chain(read.map(|outlet| (outlet, TensorElementType::Float32)));
        for (outlet, ours) in all {
            if outlet.dtype().tensor_type() != Some(ours) {
                return Err(self.unfit(format!(
                    "its `{}` is of type {}, and has to be a tensor of {ours}; export the model that way",
                    outlet.name(),
                    outlet.dtype()
                )));
            }
        }
        Ok(())
    }

    fn inputs(&self) -> impl Iterator<Item = &str> {
        self.session.inputs().iter().map(|input| input.name())
    }

    fn unfit(&self, problem: String) -> Error {
        Error::Model {
            encoder: self.spec.name.clone(),
            path: self.model.clone(),
            source: problem.into(),
        }
    }

    fn run(&self, rows: usize, inputs: &[(&str, DynValue)]) -> Result<Ran, Error> {
        let failed = |problem: String| Error::Output {
            encoder: self.spec.name.clone(),
            content: format!("a batch of {rows}"),
            problem,
        };
        let mut outputs = vec![self.output.as_str()];
        outputs.extend(self.states.as_ref().map(|(name, _)| name.as_str()));
        let mut found = shared_session::run(&self.session, inputs, &outputs)
            .map_err(|error| failed(error.to_string()))?
            .into_iter();
        let (output, states) = (found.next(), found.next());
        let output = output.ok_or_else(|| failed("no output came back".into()))?;
        let array = output
            .try_extract_array::<f32>()
            .map_err(|error| failed(error.to_string()))?;
        let shape = self.spec.shape.iter().copied();
        let expected: Vec<usize> = [rows].into_iter().chain(shape).collect();
        if array.shape() != expected {
            return Err(failed(format!(
                "output of shape {:?}, but the preset says {expected:?}; correct `shape`",
                array.shape()
            )));
        }
        let width: usize = expected[1..].iter().product();
        let array = array.to_shape((rows, width));
        let array = array.map_err(|error| failed(error.to_string()))?;
        Ok(Ran {
            rows: array.to_owned(),
            states,
        })
    }

    /// Of each text the states of its tokens, as many as are kept.
    fn tokens(&self, states: &DynValue, batch: &[&[u32]]) -> Result<Vec<Vec<f32>>, Error> {
        let Some((name, shape)) = &self.states else {
            return Ok(Vec::new());
        };
        let (most, width) = (shape[0], shape[1]);
        let failed = |problem: String| Error::Output {
            encoder: TOKENS.into(),
            content: format!("a batch of {}", batch.len()),
            problem,
        };
        let states = states.try_extract_array::<f32>();
        let states = states.map_err(|error| failed(error.to_string()))?;
        let expected = [batch.len(), longest(batch), width];
        if states.shape() != expected {
            return Err(failed(format!(
                "`{name}` has shape {:?}, expected {expected:?}; correct `token_states` in the preset",
                states.shape()
            )));
        }
        let own = |(row, ids): (usize, &&[u32])| {
            let states = states.index_axis(Axis(0), row);
            let kept = ids.len().clamp(1, most).min(expected[1]);
            states
                .slice_axis(Axis(0), (..kept).into())
                .iter()
                .copied()
                .collect()
        };
        Ok(batch.iter().enumerate().map(own).collect())
    }
}

impl Graph {
    /// Of each picture its map.
    fn maps(&self, maps: &DynValue, rows: usize) -> Result<Vec<Vec<f32>>, Error> {
        let Some((name, shape)) = &self.states else {
            return Ok(Vec::new());
        };
        let failed = |problem: String| Error::Output {
            encoder: MAPS.into(),
            content: format!("a batch of {rows}"),
            problem,
        };
        let maps = maps.try_extract_array::<f32>();
        let maps = maps.map_err(|error| failed(error.to_string()))?;
        let expected: Vec<usize> = [rows].into_iter().chain(shape.iter().copied()).collect();
        if maps.shape() != expected {
            return Err(failed(format!(
                "`{name}` has shape {:?}, expected {expected:?}; correct `map_shape` in the preset",
                maps.shape()
            )));
        }
        let rows = maps.outer_iter();
        Ok(rows.map(|row| row.iter().copied().collect()).collect())
    }
}

/// What a session gave for a batch.
struct Ran {
    rows: Array2<f32>,
    states: Option<DynValue>,
}

/// Opens a model as it stands in its file, with a value within it as one more output, where one is named.
fn commit(
    mut builder: SessionBuilder,
    file: &ModelFile,
    value: Option<&str>,
) -> ort::Result<Session> {
    for (name, weights) in &file.weights {
        builder = builder.with_external_initializer_file_in_memory(name, Arc::clone(weights))?;
    }
    let more = value.and_then(|name| exposed(&file.model, name));
    builder.commit_from_memory(more.as_deref().unwrap_or(&file.model))
}

/// Opens a model without the products that were taken out of it.
fn commit_rewritten(
    builder: SessionBuilder,
    (rewritten, value): (&Rewritten, Option<&str>),
    threads: usize,
) -> ort::Result<Session> {
    // One at a time: ONNX Runtime looks whether the process knows our operators' domain, then adds it, and fails where
    // another session did so in between.
    static ADDING: Mutex<()> = Mutex::new(());
    let _adding = ADDING.lock().unwrap_or_else(PoisonError::into_inner);
    let more = value.and_then(|name| exposed(rewritten.model(), name));
    builder
        .with_operators(rewritten.operators(threads)?)?
        .commit_from_memory(more.as_deref().unwrap_or(rewritten.model()))
}

fn start(runtime: &Runtime, threads: usize) -> ort::Result<SessionBuilder> {
    let builder = Session::builder(&runtime.environment)?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        // Batches differ in length: patterns of earlier shapes would be kept for nothing.
        .with_memory_pattern(false)?;
    Ok(builder)
}

/// The CUDA provider or an error, never a silent fall to the CPU.
fn with_cuda(builder: SessionBuilder) -> Result<SessionBuilder, Error> {
    let cuda = ort::ep::CUDA::default().build().error_on_failure();
    builder
        .with_execution_providers([cuda])
        .map_err(|error| Error::Device {
            device: "cuda".into(),
            source: Box::new(ort::Error::<()>::from(error)),
        })
}

/// Whether a session could be made on CUDA.
pub(crate) fn check_cuda() -> Result<&'static Runtime, Error> {
    let runtime = Runtime::load_cuda()?;
    let builder = start(runtime, 1).map_err(|error| Error::Runtime {
        problem: "no session can be started".into(),
        source: Some(error.into()),
    })?;
    with_cuda(builder)?;
    Ok(runtime)
}

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
        let Ran { rows, states } = self.run(batch)?;
        let states = states.map(|states| self.graph.tokens(&states, batch));
        let states = states.transpose()?.unwrap_or_default();
        Ok(Encoded { rows, states })
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
}

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
        let Ran { rows, states } = self.run(batch)?;
        let states = states.map(|maps| self.graph.maps(&maps, batch.len()));
        let states = states.transpose()?.unwrap_or_default();
        Ok(Encoded { rows, states })
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
}

/// How many threads run a model, and how many sessions of it there are.
#[cfg(test)]
pub(crate) fn sessions(
    preset: &EncoderPreset,
    options: &crate::Options,
) -> Result<(usize, usize), Error> {
    let engine = Engine::new(options);
    let spec = preset.spec(
        "demo",
        mmfnd_features::ValueType::F16,
        engine.provider(preset),
    );
    let graphs = Graph::open(preset, (&spec, None), engine)?;
    let distinct: std::collections::HashSet<_> = graphs.iter().map(Arc::as_ptr).collect();
    Ok((graphs.len(), distinct.len()))
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
