//! Gradients and a learning rate in, other weights out: the loss, clipping, the schedule and AdamW.

mod adamw;
mod add;
mod clip;
mod loss;
mod schedule;

pub use adamw::AdamW;
pub(crate) use adamw::SavedMoments;
pub(crate) use add::add;
pub use clip::clip;
pub use loss::{Loss, cross_entropy};
pub use schedule::Rates;
