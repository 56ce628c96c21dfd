//! The head against PyTorch: `tests/golden` of the repository holds what a plain reference in PyTorch computes, and the
//! scripts that wrote it. With the cargo features `wgpu` and `cuda` a graphics card is held against both.
#![allow(clippy::unwrap_used)]

#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod cards;
mod file;
mod gradients;
mod head;
mod methods;
mod metrics;
mod parts;
mod resnet;
mod significance;
mod training;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
#[path = "../world/mod.rs"]
mod world;
