//! Operations on maps of a picture, channel by channel: comes in `[N, C, H, W]`, goes out another such tensor.

mod buffer;
mod channel_affine;
mod convolution;
mod max_pool;
mod sizes;
mod winograd;

pub(in crate::heads) use channel_affine::channel_affine;
pub(in crate::heads) use convolution::convolution;
pub(in crate::heads) use max_pool::max_pool;
pub(in crate::heads) use sizes::Window;
