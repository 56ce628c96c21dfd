//! Comes in: a preset's model, batches of token ids or of pixels. Goes out: their rows, and states within the model
//! where they are wanted.

mod graph;
mod image;
mod opening;
mod text;

#[cfg(test)]
pub(crate) use graph::sessions;
pub(super) use image::ImageEncoder;
pub(crate) use opening::check_cuda;
pub(super) use text::TextEncoder;
