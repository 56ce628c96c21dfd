//! What rows are stored under. A content comes in, its key goes out; an encoder is told from others by its spec,
//! a shard by its number.

pub(crate) mod key;
pub(crate) mod key_set;
pub(crate) mod shard;
pub(crate) mod spec;
