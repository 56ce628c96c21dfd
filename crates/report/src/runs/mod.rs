//! Comes in: folders. Goes out: the finished runs in them as groups of runs that differ in the seed alone, and what
//! is wrong with the others.

mod files;
mod find;
mod group;
mod predictions;

#[cfg(test)]
pub use files::GateGroup;
pub use files::{Config, Epoch, Gate, Metrics, Problem, config};
pub use find::{SweepState, find};
pub use group::{Group, shown};
pub use predictions::{Prediction, Vectors};
