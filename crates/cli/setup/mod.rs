//! Comes in: this machine and the presets' files. Goes out: what is there, what is missing, and how to get it.

pub(crate) mod doctor;
mod from_run;
pub(crate) mod models;
