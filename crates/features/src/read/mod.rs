//! The read side. A store and posts come in, the features of these posts go out, in memory or row by row from the disk.

pub(crate) mod disk_rows;
pub(crate) mod features;
pub(crate) mod post_keys;
pub(crate) mod store;
pub(crate) mod table_reader;
