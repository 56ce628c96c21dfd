//! What people want to know of a store. A store comes in; counts, damage, or one table for data frames go out.

mod export;
mod inspect;
mod path;
mod verify;

pub use export::{Exported, Places};
pub use inspect::{EncoderReport, Inspection};
pub use verify::{Problem, Verified, verify};
