//! How ONNX Runtime opens a model.

use std::sync::{Arc, Mutex, PoisonError};

use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::super::graph::exposed;
use super::super::model_file::ModelFile;
use super::super::runtime::Runtime;
use super::super::tiles::Rewritten;
use crate::error::Error;

/// Opens a model as it stands in its file, with a value within it as one more output, where one is named.
pub(super) fn commit(
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
pub(super) fn commit_rewritten(
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

/// What every session is opened with.
pub(super) fn start(runtime: &Runtime, threads: usize) -> ort::Result<SessionBuilder> {
    let builder = Session::builder(&runtime.environment)?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        // Batches differ in length: patterns of earlier shapes would be kept for nothing.
        .with_memory_pattern(false)?;
    Ok(builder)
}

/// The CUDA provider or an error, never a silent fall to the CPU.
pub(super) fn with_cuda(builder: SessionBuilder) -> Result<SessionBuilder, Error> {
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
