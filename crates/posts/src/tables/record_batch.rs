//! One record batch as a Parquet file.

use std::io;
use std::path::Path;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::{Error, atomic};

/// Writes one record batch as a Parquet file, whole or not at all.
pub(crate) fn write_batch(path: &Path, batch: &RecordBatch) -> Result<(), Error> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    atomic::write(path, |file| {
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))
            .map_err(io::Error::other)?;
        writer.write(batch).map_err(io::Error::other)?;
        writer.close().map_err(io::Error::other)?;
        Ok(())
    })
}
