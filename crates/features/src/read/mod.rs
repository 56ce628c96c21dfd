//! The read side. A store and posts come in; the features of these posts go out, in memory or row by row from the disk.

mod column;
mod disk_rows;
mod features;
mod post_keys;
mod store;
mod table_reader;

pub use column::{Column, ColumnValues};
pub use disk_rows::DiskRows;
pub use features::Features;
pub(crate) use post_keys::require;
pub use store::Store;
pub use table_reader::TableReader;
