//! What rows are stored under. A content comes in, its key goes out; an encoder is told from others by its spec,
//! a shard by its number.

mod key;
mod key_set;
mod maker;
mod shard;
mod spec;

pub use key::Key;
pub use key_set::KeySet;
pub use maker::{Machine, Maker};
pub use shard::{NoShard, Shard};
pub use spec::{EncoderSpec, Input, Precision, ValueType};
