//! The weights of a head and their gradients by the names that PyTorch has for them, and the files that hold weights.

pub(crate) mod file;
mod named;

pub use named::{Weight, Weights, gradients, load, named, reads};
pub(crate) use named::{gradient, numbers, transpose};
