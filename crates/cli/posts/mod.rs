//! Comes in: datasets as they are distributed, or a seed. Goes out: `posts.parquet` with pictures and the text in them.

pub(crate) mod import;
pub(crate) mod ocr;
pub(crate) mod world;
