//! The weights of a head and their gradients by the names that PyTorch has for them, and the files that hold weights.

pub(crate) mod file;
mod layout;
mod named;
mod numbers;
mod pytorch;
mod stored;
mod weight;

pub(crate) use layout::transpose;
pub(crate) use named::{gradient, stored};
pub use named::{gradients, load, named};
pub(crate) use numbers::numbers;
pub use numbers::reads;
pub(crate) use stored::Stored;
pub use weight::{Weight, Weights};
