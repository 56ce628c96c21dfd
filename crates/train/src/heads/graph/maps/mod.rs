//! Operations on maps of a picture, channel by channel: comes in `[N, C, H, W]`, goes out another such tensor.

mod channel_affine;
mod convolution;
mod max_pool;
mod winograd;

pub(in crate::heads) use channel_affine::channel_affine;
pub(in crate::heads) use convolution::{Window, convolution};
pub(in crate::heads) use max_pool::max_pool;
