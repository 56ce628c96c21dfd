//! A head and batches in, predictions and what they are worth out.

mod gate_use;
mod loss_report;
pub mod metrics;
mod prediction_file;
mod ranking;
mod scored;
mod scorer;

pub(crate) use gate_use::GateUseMeter;
pub use gate_use::{GateUse, GroupUse};
pub use loss_report::LossReport;
pub(crate) use prediction_file::{RunPrediction, read_run, write_run};
pub use prediction_file::{write_predictions, write_predictions_with_aggregate};
pub use scorer::{Prediction, WithAggregate};
pub(crate) use scorer::{Scorer, pairs};
