//! Tables on the disk. Posts or columns of results come in, Parquet, CSV or JSON lines go out; and back, as posts or
//! as plain vectors.

pub(crate) mod columns;
pub(crate) mod posts;
pub(crate) mod record_batch;
pub(crate) mod results;
