//! The write side. Rows, links and rejects come in; a store that can be read and completed at every moment goes out.

mod compact;
mod encoder_writer;
mod merge;
mod store_writer;

pub use encoder_writer::EncoderWriter;
pub use merge::{Merged, merge};
pub use store_writer::StoreWriter;
