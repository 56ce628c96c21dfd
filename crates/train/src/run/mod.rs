//! Features, posts and a configuration in, a run directory with weights, predictions and metrics out.

mod backbone;
mod dir;
mod entry;
mod final_metrics;
mod info;
mod model;
mod request;
mod saved_head;
mod train;
mod tuned;

pub use dir::{RunDir, RunLock};
pub(crate) use entry::train_as_asked;
pub use entry::{train, train_watched};
pub use final_metrics::{BestTest, RunMetrics, Selection};
pub use info::{Counts, RunInfo};
pub use model::Model;
pub(crate) use request::RunRequest;
pub use request::{PictureModel, RunOptions, RunSummary};
pub use tuned::TunedResnet;
