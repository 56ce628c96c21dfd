//! Whole runs over a store of made-up features.
#![allow(clippy::unwrap_used)]

mod faithful;
mod heads;
mod learning;
mod methods;
mod modalities;
mod online;
mod refusals;
mod setup;
mod small_methods;
mod steps;
#[path = "../world/mod.rs"]
mod world;
