//! Stage 2: heads trained over the feature store with Burn.
//!
//! Features of posts → batches → a [`Head`](heads::Head) → logits; AdamW; the best epoch by validation posts; a run directory with weights that PyTorch can load,
//! predictions and metrics. Everything random is drawn from the run's seed: the same seed on the same machine gives the same bytes, interrupted or not.

mod adamw;
mod ahead;
mod batch;
mod checkpoint;
mod clip;
pub mod config;
mod device;
mod error;
mod fit;
mod gate_use;
pub mod grid;
pub mod heads;
mod keys;
mod ledger;
mod loss;
pub mod metrics;
mod outcomes;
mod predict;
mod ranking;
mod registry;
mod resnet_layer;
mod run;
mod schedule;
mod split;
pub mod statistics;
mod summary;
mod summary_file;
mod sweep;
mod sweep_file;
mod train;
mod training;
pub mod weights;
mod weights_file;

pub use adamw::AdamW;
pub use batch::{Dataset, ENCODERS};
pub use clip::clip;
pub use config::{Config, HeadConfig};
pub use device::{Device, DeviceReport, UnknownDevice, devices};
pub use error::{DataProblem, Error, WeightsProblem};
pub use gate_use::{GateUse, GroupUse};
pub use ledger::{RunRecord, Status};
pub use loss::{Loss, cross_entropy};
pub use metrics::Metrics;
pub use outcomes::Comparison;
pub use predict::{Model, Prediction, write_predictions};
pub use registry::{HEADS, Kind};
pub use run::{BestTest, Counts, EpochReport, RunDir, RunInfo, RunMetrics, Selection};
pub use schedule::Rates;
pub use split::Splits;
pub use summary::{ClassFigures, Figures, PointSummary, Summary};
pub use sweep::{Event, OnEvent, Sweep, SweepOptions};
pub use sweep_file::AxisInfo;
pub use train::{RunOptions, RunSummary, train};
