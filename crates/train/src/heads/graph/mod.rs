//! Tensors of a head in, tensors and what it takes to differentiate them out: operations with derivatives of our own
//! for the processor, and branches of a graph that run side by side, forward and backward.
//!
//! Burn would run each operation (linear maps, the experts of a group, what a gate takes of them) as a dozen, most of
//! whose time goes into copies and into passes over memory. Every device but `flex` runs the same sums with Burn's own
//! operations and derivatives; the golden files and a test here compare the two.

#[macro_use]
mod lanes;

mod affine;
mod co_attention;
mod contrast;
mod expert_layers;
mod flex;
mod fork;
mod maps;
mod mixture;
mod pointwise;
mod product;
mod recurrent;
mod windows;

pub(super) use affine::affine;
pub(super) use co_attention::{Dropped, co_attention};
pub(super) use contrast::{Against, Compared};
pub(super) use expert_layers::expert_layers;
pub(super) use flex::is_flex;
pub use fork::{Cut, among_threads, backward};
pub(super) use fork::{backward_to_trunk, cut_off, fork};
pub(super) use maps::{Window, channel_affine, convolution, max_pool};
pub(super) use mixture::{GateWeights, mixture};
pub(super) use pointwise::{batch_norm, mean_squares, tanh};
pub(super) use recurrent::{GruWeights, Order, gru};
pub(super) use windows::Windows;
