//! The write side. Rows, links and rejects come in; a store that can be read and completed at every moment goes out.

pub(crate) mod encoder_writer;
pub(crate) mod merge;
pub(crate) mod store_writer;
