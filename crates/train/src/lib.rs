//! Stage 2: heads trained over the feature store with Burn.
//!
//! Features of posts → batches → a [`Head`](heads::Head) → logits; AdamW; the best epoch by validation posts; a run
//! directory with weights that PyTorch can load, predictions and metrics. Everything random is drawn from the run's
//! seed: the same seed on the same machine gives the same bytes, interrupted or not.
//!
//! From bottom to top, each importing only from those before it: `error`, `device`, `options`, [`system_memory`];
//! [`heads`] (tensors and nothing else); [`weights`]; [`config`]; `optim`; `data`; `scoring`; `fitting`; `run`;
//! `sweep`.

pub mod config;
mod data;
mod device;
mod error;
mod fitting;
pub mod heads;
mod optim;
mod options;
mod run;
mod scoring;
mod sweep;
pub mod system_memory;
pub mod weights;

pub use config::{Config, HEADS, HeadConfig, HeadKind, MAPS, OnlineConfig, Unfreeze};
pub use data::{Dataset, ENCODERS, Splits, TOKENS};
pub use device::{Device, DeviceReport, UnknownDevice, devices};
pub use error::{DataProblem, Error, WeightsProblem};
pub use fitting::{BatchReport, EpochReport, Watch};
pub use heads::Reads;
pub use optim::{AdamW, Loss, Rates, clip, cross_entropy};
pub use options::{OptionInfo, Options, Values};
pub use run::{
    BestTest, Counts, Model, PictureModel, RunDir, RunInfo, RunLock, RunMetrics, RunOptions,
    RunSummary, Selection, TunedResnet, train, train_watched,
};
pub use scoring::metrics::{self, Metrics};
pub use scoring::{
    GateUse, GroupUse, LossReport, Prediction, WithAggregate, write_predictions,
    write_predictions_with_aggregate,
};
pub use sweep::{
    AxisInfo, ClassFigures, Comparison, Differing, Event, Figures, OnEvent, Pair, PointSummary,
    RunRecord, Status, Summary, Sweep, SweepOptions, grid, statistics,
};

#[cfg(test)]
extern crate self as mmfnd_train; // as the tests' world calls it
#[cfg(test)]
mod tests;
