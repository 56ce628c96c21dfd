//! The footer of a Parquet file: that its lists have no more elements than it has bytes, and its fields the types that they should have.
//!
//! Parquet's reader looks at the types only of fields that it does not know, to step over them; a known field of another type would make us see other bytes than the reader.

use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::ChunkReader;

use super::malformed;
use super::thrift::{BINARY, BYTE, DOUBLE, I16, I64, LIST, SET, STRUCT, Thrift};

/// What a field should be. Fields that are not named here, and truth values, the reader takes as they are.
enum Type {
    Byte,
    Int,
    Double,
    Binary,
    List(&'static Self),
    Struct(&'static [(i16, Self)]),
}

use Type::{Binary, Byte, Double, Int, List, Struct};

/// `FileMetaData` of <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>; what it holds follows.
const FILE: Type = Struct(&[
    (1, Int),
    (2, List(&SCHEMA_ELEMENT)),
    (3, Int),
    (4, List(&ROW_GROUP)),
    (5, List(&KEY_VALUE)),
    (6, Binary),
    (7, List(&COLUMN_ORDER)),
]);
const SCHEMA_ELEMENT: Type = Struct(&[
    (1, Int),
    (2, Int),
    (3, Int),
    (4, Binary),
    (5, Int),
    (6, Int),
    (7, Int),
    (8, Int),
    (9, Int),
    (10, LOGICAL_TYPE),
]);
const LOGICAL_TYPE: Type = Struct(&[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Struct(&[(1, Int), (2, Int)])),
    (6, EMPTY),
    (7, Struct(&[(2, TIME_UNIT)])),
    (8, Struct(&[(2, TIME_UNIT)])),
    (10, Struct(&[(1, Byte)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Struct(&[(1, Byte)])),
    (17, Struct(&[(1, Binary)])),
    (18, Struct(&[(1, Binary), (2, Int)])),
    (19, EMPTY),
]);
const TIME_UNIT: Type = Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]);
const COLUMN_ORDER: Type = Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]);
const EMPTY: Type = Struct(&[]);
const KEY_VALUE: Type = Struct(&[(1, Binary), (2, Binary)]);
const ROW_GROUP: Type = Struct(&[
    (1, List(&COLUMN_CHUNK)),
    (2, Int),
    (3, Int),
    (4, List(&SORTING_COLUMN)),
    (5, Int),
    (7, Int),
]);
const SORTING_COLUMN: Type = Struct(&[(1, Int)]);
const COLUMN_CHUNK: Type = Struct(&[
    (1, Binary),
    (2, Int),
    (3, COLUMN),
    (4, Int),
    (5, Int),
    (6, Int),
    (7, Int),
]);
const COLUMN: Type = Struct(&[
    (1, Int),
    (2, List(&Int)),
    (4, Int),
    (5, Int),
    (6, Int),
    (7, Int),
    (9, Int),
    (10, Int),
    (11, Int),
    (12, STATISTICS),
    (13, List(&PAGE_ENCODING)),
    (14, Int),
    (15, Int),
    (16, SIZE_STATISTICS),
    (17, GEOSPATIAL_STATISTICS),
]);
const STATISTICS: Type = Struct(&[
    (1, Binary),
    (2, Binary),
    (3, Int),
    (4, Int),
    (5, Binary),
    (6, Binary),
    (9, Int),
]);
const PAGE_ENCODING: Type = Struct(&[(1, Int), (2, Int), (3, Int)]);
const SIZE_STATISTICS: Type = Struct(&[(1, Int), (2, List(&Int)), (3, List(&Int))]);
const GEOSPATIAL_STATISTICS: Type = Struct(&[(1, BOUNDING_BOX), (2, List(&Int))]);
const BOUNDING_BOX: Type = Struct(&[
    (1, Double),
    (2, Double),
    (3, Double),
    (4, Double),
    (5, Double),
    (6, Double),
    (7, Double),
    (8, Double),
]);

/// `OffsetIndex`, which says where the pages of a column lie.
const OFFSET_INDEX: Type = Struct(&[(1, List(&PAGE_LOCATION)), (2, List(&Int))]);
const PAGE_LOCATION: Type = Struct(&[(1, Int), (2, Int), (3, Int)]);

/// Refuses a footer whose lists have more elements than it has bytes, or whose fields have other types than Parquet gives them. What is not a Parquet file at all is left to the reader.
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
            step_over(&mut Thrift::new(&footer), STRUCT, &FILE)
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
        step_over(&mut Thrift::new(&bytes), STRUCT, &OFFSET_INDEX)
            .ok_or_else(|| malformed("the index of a column's pages cannot be read"))?;
    }
    Ok(())
}

/// Steps over a value of a kind that should be of a type.
fn step_over(bytes: &mut Thrift, kind: u8, expected: &Type) -> Option<()> {
    match (expected, kind) {
        (Byte, BYTE) | (Int, I16..=I64) | (Double, DOUBLE) | (Binary, BINARY) => bytes.skip(kind),
        (List(element), LIST | SET) => {
            let (count, kind) = bytes.list()?;
            (0..count).try_for_each(|_| step_over(bytes, kind, element))
        }
        (Struct(known), STRUCT) => bytes.fields(|bytes, id, kind| {
            let expected = known.iter().find(|(known, _)| *known == id);
            match expected {
                Some((_, expected)) => step_over(bytes, kind, expected),
                None => bytes.skip(kind),
            }
        }),
        _ => None,
    }
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
