//! What Parquet's reader does not refuse by itself (found by fuzzing): it panics at negative places and lengths of columns, and it believes what a file claims about itself, of whatever size.

mod deltas;
mod pages;
mod thrift;

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;

use self::thrift::{STRUCT, Thrift};

/// Reads; a panic on the way is an error of the file.
pub fn without_panic<T, E: From<ParquetError>>(
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    // What the reader leaves behind is not used any more after an error.
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(malformed("its reader gave up").into()))
}

/// A reader of the rows of a file whose claims about itself were checked. Types are those of Parquet: what Arrow would make of them (dictionaries, large strings) is left out.
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

/// Refuses a footer whose lists have more elements than it has bytes. What is not a Parquet file at all is left to the reader.
pub fn check_footer(file: &impl ChunkReader) -> Result<(), ParquetError> {
    /// Length of the footer, then `PAR1`.
    const END: u64 = 8;
    let Some(end) = file.len().checked_sub(END) else {
        return Ok(());
    };
    let tail = file.get_bytes(end, END as usize)?;
    let length = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
    match end.checked_sub(length.into()) {
        Some(start) if &tail[4..] == b"PAR1" => {
            let footer = file.get_bytes(start, length as usize)?;
            let is_whole = Thrift::new(&footer).skip(STRUCT).is_some();
            is_whole
                .then_some(())
                .ok_or_else(|| malformed("its footer cannot be read"))
        }
        _ => Ok(()),
    }
}

fn malformed(problem: &str) -> ParquetError {
    ParquetError::General(format!("it is malformed: {problem}"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tempfile::tempdir;

    use super::*;
    use crate::write_posts;

    /// A file of posts whose footer ends with one more field of these bytes.
    fn with_field(field: &[u8]) -> Bytes {
        let folder = tempdir().unwrap();
        let path = folder.path().join("posts.parquet");
        write_posts(&path, &[]).unwrap();
        let mut file = std::fs::read(path).unwrap();
        let tail = file.split_off(file.len() - 8);
        let length = u32::from_le_bytes(tail[..4].try_into().unwrap()) + field.len() as u32;
        let stop = file.pop().unwrap();
        file.extend(field);
        file.push(stop);
        file.extend(length.to_le_bytes());
        file.extend(&tail[4..]);
        file.into()
    }

    #[test]
    fn a_list_of_more_elements_than_the_footer_has_bytes_is_refused() {
        let list = |kind: u8, elements: &[u8]| [&[0x09, 0x64, 0xf0 | kind], elements].concat();
        let million = &[0xc0, 0x84, 0x3d];
        for kind in [1, 2, 3, 5, 8, 12] {
            let said = check_footer(&with_field(&list(kind, million))).map_err(|e| e.to_string());
            let expected = "Parquet error: it is malformed: its footer cannot be read";
            assert_eq!(said, Err(expected.to_owned()), "{kind}");
        }
        let two = list(3, &[2, 1, 2]);
        let map = [0x0b, 0x64, 1, 0x58, 7, 2, b'a', b'b'];
        for field in [&[] as &[u8], &two, &map] {
            assert!(check_footer(&with_field(field)).is_ok(), "{field:?}");
        }
    }

    #[test]
    fn what_is_no_parquet_file_is_left_to_the_reader() {
        for bytes in ["", "PAR1", "a file of something else", "\u{7f}\0\0\0PAR1"] {
            assert!(check_footer(&Bytes::from(bytes)).is_ok(), "{bytes}");
        }
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
