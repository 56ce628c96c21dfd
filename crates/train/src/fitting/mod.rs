//! A head with first values in, the head of the best epoch out: the training loop and its checkpoints.

pub(crate) mod checkpoint;
mod epoch_report;
mod network;
mod state;
mod trainer;
mod watch;

pub use epoch_report::EpochReport;
pub(crate) use network::{BACKBONE, Network};
pub(crate) use state::State;
pub(crate) use trainer::Trainer;
pub use watch::{BatchReport, Watch};
