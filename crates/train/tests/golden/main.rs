//! The head against PyTorch: `tests/golden` of the repository holds what a plain reference in PyTorch computes, and the
//! scripts that wrote it.
#![allow(clippy::unwrap_used)]

mod file;
mod gradients;
mod head;
mod methods;
mod metrics;
mod parts;
mod significance;
mod training;
