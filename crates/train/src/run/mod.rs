//! Features, posts and a configuration in, a run directory with weights, predictions and metrics out.

mod dir;
mod train;

pub use dir::{BestTest, Counts, EpochReport, RunDir, RunInfo, RunMetrics, Selection};
pub(crate) use train::{Job, run};
pub use train::{RunOptions, RunSummary, train};
