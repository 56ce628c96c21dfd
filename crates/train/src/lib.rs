//! Stage 2: heads trained over the feature store with Burn.
//!
//! Features of posts → batches → a [`Head`](heads::Head) → logits; AdamW; the best epoch by validation posts; a run directory with weights that PyTorch can load,
//! predictions and metrics. Everything random is drawn from the run's seed: the same seed on the same machine gives the same bytes, interrupted or not.

mod adamw;
mod batch;
mod checkpoint;
pub mod config;
mod device;
mod error;
mod fit;
pub mod heads;
pub mod metrics;
mod predict;
mod registry;
mod resnet_layer;
mod run;
mod split;
mod train;
pub mod weights;
mod weights_file;

pub use adamw::AdamW;
pub use batch::{Dataset, ENCODERS};
pub use config::{Config, HeadConfig};
pub use device::{Device, DeviceReport, UnknownDevice, devices};
pub use error::{DataProblem, Error, WeightsProblem};
pub use metrics::Metrics;
pub use predict::{Model, Prediction, write_predictions};
pub use registry::{HEADS, Kind};
pub use run::{Counts, EpochReport, RunDir, RunInfo, RunMetrics, Selection};
pub use split::Splits;
pub use train::{RunOptions, RunSummary, train};
