//! A preset's encoders on ONNX Runtime: the library is found (or fetched) and loaded, a model's file is checked and
//! opened, token ids or pixels become rows.

mod engine;
mod fetch;
mod from_preset;
mod graph;
mod model_file;
pub mod nvidia;
mod precision;
mod processor;
mod python;
mod runtime;
mod session;
pub(crate) mod shared_session;
mod tiles;

pub use from_preset::FromPreset;
#[cfg(test)]
pub(crate) use graph::external::tests::model_with;
pub use graph::{Folded, Retrained, retrained_model};
pub use precision::{bfloat16, in_bfloat16};
pub use runtime::{Origin, Runtime};
pub(crate) use session::check_cuda;
pub use tiles::available as has_tiles;
#[cfg(test)]
pub(crate) use {engine::Engine, session::sessions};
