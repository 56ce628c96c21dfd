//! Comes in: this machine and the presets' files. Goes out: what is there, what is missing, and how to get it.

pub(crate) mod doctor;
pub(crate) mod models;
