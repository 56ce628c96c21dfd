//! Comes in: folders. Goes out: the finished runs in them as groups of runs that differ in the seed alone, and what
//! is wrong with the others.

mod files;
mod find;
mod group;
mod predictions;

pub use files::{Epoch, Gate, Metrics, Problem};
pub use find::{SweepState, find};
pub use group::Group;
pub use predictions::Prediction;
