//! Comes in: what a command did or found out. Goes out: text for people, progress on standard error and tables on
//! standard output.

pub(crate) mod batch_progress;
pub(crate) mod count;
pub(crate) mod metrics;
pub(crate) mod note;
pub(crate) mod progress;
pub(crate) mod sweep_progress;
pub(crate) mod sweep_table;
pub(crate) mod table;
