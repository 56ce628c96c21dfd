//! The footer of a Parquet file, and the index of its pages: that they are what the format says.

use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::ChunkReader;

use super::format::{FILE, OFFSET_INDEX, step_over};
use super::malformed::malformed;
use super::thrift::Thrift;

/// Refuses a footer whose lists have more elements than it has bytes, or whose fields have other types than Parquet
/// gives them. What is not a Parquet file at all is left to the reader.
pub(super) fn check_footer(file: &impl ChunkReader) -> Result<(), ParquetError> {
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
            step_over(&mut Thrift::new(&footer), &FILE)
                .ok_or_else(|| malformed("its footer cannot be read"))
        }
        _ => Ok(()),
    }
}

/// Refuses an offset index as [`check_footer`] does a footer.
pub(super) fn check_offset_indexes(
    file: &impl ChunkReader,
    metadata: &ParquetMetaData,
) -> Result<(), ParquetError> {
    let groups = metadata.row_groups().iter();
    for column in groups.flat_map(|group| group.columns()) {
        let (Some(start), Some(length)) =
            (column.offset_index_offset(), column.offset_index_length())
        else {
            continue;
        };
        let place = u64::try_from(start).ok().zip(u64::try_from(length).ok());
        let place = place.filter(|(start, length)| {
            let end = start.checked_add(*length);
            end.is_some_and(|end| end <= file.len())
        });
        let (start, length) = place.ok_or_else(|| malformed("an index lies outside of it"))?;
        let bytes = file.get_bytes(start, length as usize)?;
        step_over(&mut Thrift::new(&bytes), &OFFSET_INDEX)
            .ok_or_else(|| malformed("the index of a column's pages cannot be read"))?;
    }
    Ok(())
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
    fn a_known_field_of_another_type_is_refused() {
        let rows_as_text = [0x08, 0x06, 2, b'a', b'b'];
        // A row group with a column whose description has its codec as a list.
        let codec_as_list = [0x09, 0x08, 0x1c, 0x19, 0x1c, 0x3c, 0x49, 0x13, 7, 0, 0, 0];
        for field in [&rows_as_text[..], &codec_as_list] {
            assert!(check_footer(&with_field(field)).is_err(), "{field:?}");
        }
        let rows = [0x06, 0x06, 0];
        let mut codec = codec_as_list;
        codec[6..9].copy_from_slice(&[0x45, 0, 0]);
        for field in [&rows[..], &codec[..11]] {
            assert!(check_footer(&with_field(field)).is_ok(), "{field:?}");
        }
    }

    #[test]
    fn what_is_no_parquet_file_is_left_to_the_reader() {
        for bytes in ["", "PAR1", "a file of something else", "\u{7f}\0\0\0PAR1"] {
            assert!(check_footer(&Bytes::from(bytes)).is_ok(), "{bytes}");
        }
    }
}
