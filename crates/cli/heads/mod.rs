//! Comes in: posts and a feature store. Goes out: trained heads, their figures, predictions, comparisons.

pub(crate) mod ablate;
pub(crate) mod compare;
pub(crate) mod compare_heads;
pub(crate) mod evaluate;
pub(crate) mod event_file;
pub(crate) mod events;
pub(crate) mod list;
pub(crate) mod predict;
pub(crate) mod sweep;
pub(crate) mod train;
