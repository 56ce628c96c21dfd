//! Comes in: posts. Goes out: a feature store, checked, joined, exported, and the features
//! that heads read from it.

pub(crate) mod encode;
mod export;
pub(crate) mod features;
pub(crate) mod load;
pub(crate) mod picture_model;
