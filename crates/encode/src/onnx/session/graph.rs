//! An opened model: what it reads and gives is checked before its first batch, then it runs batches.

use std::path::PathBuf;
use std::sync::Arc;

use mmfnd_features::{EncoderSpec, Input};
use ndarray::{Array2, ArrayViewD};
use ort::session::Session;
use ort::value::{DynValue, TensorElementType};

use super::super::engine::{Division, Engine};
use super::super::model_file::ModelFile;
use super::super::shared_session;
use super::super::tiles::Rewritten;
use super::opening::{commit, commit_rewritten, start, with_cuda};
use crate::error::Error;
use crate::options::Device;
use crate::preset::EncoderPreset;

/// What an opened session needs to know to run a batch.
pub(super) struct Graph {
    pub(super) spec: EncoderSpec,
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
    pub(super) fn open(
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

    /// Their names.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &str> {
        self.session.inputs().iter().map(|input| input.name())
    }

    pub(super) fn unfit(&self, problem: String) -> Error {
        Error::Model {
            encoder: self.spec.name.clone(),
            path: self.model.clone(),
            source: problem.into(),
        }
    }

    /// Runs a batch of so many rows.
    pub(super) fn run(&self, rows: usize, inputs: &[(&str, DynValue)]) -> Result<Ran, Error> {
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

    /// The states within it, as they come out with a batch of this shape; none where they are not wanted. `encoder` is
    /// what they are stored as, `field` what says their shape in the preset.
    pub(super) fn states<'a>(
        &self,
        ran: &'a Ran,
        (encoder, field): (&str, &str),
        batch: &[usize],
    ) -> Result<Option<ArrayViewD<'a, f32>>, Error> {
        let (Some(states), Some((name, _))) = (&ran.states, &self.states) else {
            return Ok(None);
        };
        let failed = |problem: String| Error::Output {
            encoder: encoder.to_owned(),
            content: format!("a batch of {}", batch[0]),
            problem,
        };
        let states = states.try_extract_array::<f32>();
        let states = states.map_err(|error| failed(error.to_string()))?;
        match states.shape() == batch {
            true => Ok(Some(states)),
            false => Err(failed(format!(
                "`{name}` has shape {:?}, expected {batch:?}; correct `{field}` in the preset",
                states.shape()
            ))),
        }
    }

    /// The shape of one content's states, where they are wanted; of tokens that of the most.
    pub(super) fn states_shape(&self) -> Option<&[usize]> {
        Some(&self.states.as_ref()?.1)
    }
}

/// What a session gave for a batch.
pub(super) struct Ran {
    pub(super) rows: Array2<f32>,
    states: Option<DynValue>,
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
