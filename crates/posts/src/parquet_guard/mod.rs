//! What Parquet's reader does not refuse by itself (found by fuzzing): it panics at negative places and lengths of
//! columns, and it believes what a file claims about itself, of whatever size. A file of unknown origin comes in; a
//! reader of it, or its footer, goes out.

mod deltas;
mod footer;
mod format;
mod malformed;
mod pages;
mod thrift;
mod unpacked;

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::ChunkReader;

use self::footer::{check_footer, check_offset_indexes};
use self::malformed::malformed;

/// Reads; a panic on the way is an error of the file.
pub fn without_panic<T, E: From<ParquetError>>(
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    // What the reader leaves behind is not used any more after an error.
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(malformed("its reader gave up").into()))
}

/// A reader of the rows of a file whose claims about itself were checked. Types are those of Parquet: what Arrow would
/// make of them (dictionaries, large strings) is left out.
pub fn rows_of<R: ChunkReader + 'static>(
    file: R,
) -> Result<ParquetRecordBatchReaderBuilder<R>, ParquetError> {
    check_footer(&file)?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(&file, options)?;
    pages::check_pages(&file, metadata.metadata())?;
    Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(
        file, metadata,
    ))
}

/// The footer of a file, and where the pages of its columns lie; what they say about themselves was checked.
pub fn metadata_of(file: &impl ChunkReader) -> Result<ParquetMetaData, ParquetError> {
    check_footer(file)?;
    let metadata = ParquetMetaDataReader::new().parse_and_finish(file)?;
    check_offset_indexes(file, &metadata)?;
    let mut reader = ParquetMetaDataReader::new_with_metadata(metadata)
        .with_offset_index_policy(PageIndexPolicy::Required);
    reader.read_page_indexes(file)?;
    reader.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, RecordBatch};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;

    use super::*;

    #[test]
    fn an_index_of_pages_that_cannot_be_read_is_refused() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![7, 8, 9]));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let mut file = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let metadata = metadata_of(&Bytes::from(file.clone())).unwrap();
        let pages = metadata.page_index_for_row_group(0);
        assert_eq!(pages.page_locations(0).unwrap().len(), 1);
        let index = metadata.row_group(0).column(0).offset_index_offset();
        // Its list of pages becomes a text.
        let first = &mut file[usize::try_from(index.unwrap()).unwrap()];
        assert_eq!(*first, 0x19);
        *first = 0x18;
        let said = metadata_of(&Bytes::from(file)).map(drop).unwrap_err();
        let said = said.to_string();
        let expected = "the index of a column's pages cannot be read";
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn a_panic_is_an_error_and_everything_else_is_handed_on() {
        let panics = || -> Result<(), ParquetError> { std::panic::resume_unwind(Box::new("x")) };
        let said = without_panic(panics).map_err(|error| error.to_string());
        assert_eq!(
            said,
            Err("Parquet error: it is malformed: its reader gave up".to_owned())
        );
        assert_eq!(without_panic(|| Ok::<_, ParquetError>(7)).ok(), Some(7));
    }
}
