//! Stage 2: heads trained over the feature store with Burn.

mod device;
mod error;
pub mod heads;
pub mod metrics;
pub mod weights;

pub use device::{Device, DeviceReport, devices};
pub use error::{DataProblem, Error, WeightsProblem};
