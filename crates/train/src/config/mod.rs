//! An experiment file and settings in, a configuration with every option set out.

mod catalogue;
mod experiment;
pub(crate) mod keys;
mod training;

pub(crate) use catalogue::typed;
pub use catalogue::{HEADS, Kind};
pub(crate) use experiment::plainly;
pub use experiment::{Config, HeadConfig, leaves};
pub use training::{ClassWeights, Missing, Schedule, Select, TrainConfig};
