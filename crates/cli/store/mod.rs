//! Comes in: posts. Goes out: a feature store, checked, joined, exported.

pub(crate) mod encode;
pub(crate) mod features;
