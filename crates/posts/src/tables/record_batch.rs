//! Record batches as a Parquet file.

use std::io;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::{Error, atomic};

/// Writes record batches as one Parquet file, whole or not at all.
pub(super) fn write_batches(
    path: &Path,
    schema: SchemaRef,
    batches: impl Iterator<Item = RecordBatch>,
) -> Result<(), Error> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    atomic::write(path, |file| {
        let mut writer =
            ArrowWriter::try_new(file, schema, Some(properties)).map_err(io::Error::other)?;
        for batch in batches {
            writer.write(&batch).map_err(io::Error::other)?;
        }
        writer.close().map_err(io::Error::other)?;
        Ok(())
    })
}

/// [`write_batches`] of a single one.
pub(super) fn write_batch(path: &Path, batch: &RecordBatch) -> Result<(), Error> {
    write_batches(path, batch.schema(), [batch.clone()].into_iter())
}
