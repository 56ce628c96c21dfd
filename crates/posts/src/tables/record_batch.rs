//! Record batches as a Parquet file.

use std::io;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
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
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(io_error)?;
        for batch in batches {
            writer.write(&batch).map_err(io_error)?;
        }
        writer.close().map_err(io_error)?;
        Ok(())
    })
}

/// [`write_batches`] of a single one.
pub(super) fn write_batch(path: &Path, batch: &RecordBatch) -> Result<(), Error> {
    write_batches(path, batch.schema(), [batch.clone()].into_iter())
}

/// The error of the system behind one of Parquet's writer, so that it is said once.
pub fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => *source,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_once() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let said = io_error(ParquetError::from(full()));
        assert_eq!(
            (said.kind(), said.to_string()),
            (full().kind(), full().to_string())
        );
    }
}
