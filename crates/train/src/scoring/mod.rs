//! A head and batches in, predictions and what they are worth out.

mod gate_use;
pub mod metrics;
mod ranking;
mod scorer;

pub(crate) use gate_use::Watch;
pub use gate_use::{GateUse, GroupUse};
pub(crate) use scorer::{Forward, RunPrediction, Scorer, load, pairs, read_run, write_run};
pub use scorer::{Model, Prediction, write_predictions};
