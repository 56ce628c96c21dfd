//! A head with first values in, the head of the best epoch out: the training loop and its checkpoints.

pub(crate) mod checkpoint;
mod trainer;

pub(crate) use trainer::{Best, State, Trainer};
