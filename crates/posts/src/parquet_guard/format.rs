//! What a Parquet file says about itself, as
//! <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift> has it.
//!
//! Parquet's reader looks at the types only of fields that it does not know, to step over them; a known field of
//! another type would make us see other bytes than the reader.

use super::thrift::{BINARY, BYTE, DOUBLE, I16, I64, LIST, SET, STRUCT, Thrift};

/// What a field should be. Fields that are not named here, and truth values, the reader takes as they are.
pub(super) enum Type {
    Byte,
    Int,
    Double,
    Binary,
    List(&'static Self),
    Struct(&'static [(i16, Self)]),
}

use Type::{Binary, Byte, Double, Int, List, Struct};

/// `FileMetaData`; what it holds follows.
pub(super) const FILE: Type = Struct(&[
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
pub(super) const OFFSET_INDEX: Type = Struct(&[(1, List(&PAGE_LOCATION)), (2, List(&Int))]);
const PAGE_LOCATION: Type = Struct(&[(1, Int), (2, Int), (3, Int)]);

/// `PageHeader`.
pub(super) const PAGE_HEADER: Type = Struct(&[
    (1, Int),
    (2, Int),
    (3, Int),
    (4, Int),
    (5, DATA_PAGE),
    (6, EMPTY),
    (7, DICTIONARY_PAGE),
    (8, DATA_PAGE_V2),
]);
const DATA_PAGE: Type = Struct(&[(1, Int), (2, Int), (3, Int), (4, Int)]);
const DICTIONARY_PAGE: Type = Struct(&[(1, Int), (2, Int)]);
const DATA_PAGE_V2: Type = Struct(&[(1, Int), (2, Int), (3, Int), (4, Int), (5, Int), (6, Int)]);

/// Steps over a struct of a type; `None` where its lists have more elements than there are bytes, or its fields other
/// types.
pub(super) fn step_over(bytes: &mut Thrift, expected: &Type) -> Option<()> {
    value(bytes, STRUCT, expected)
}

/// Steps over a value of a kind that should be of a type.
fn value(bytes: &mut Thrift, kind: u8, expected: &Type) -> Option<()> {
    match (expected, kind) {
        (Byte, BYTE) | (Int, I16..=I64) | (Double, DOUBLE) | (Binary, BINARY) => bytes.skip(kind),
        (List(element), LIST | SET) => {
            let (count, kind) = bytes.list()?;
            (0..count).try_for_each(|_| value(bytes, kind, element))
        }
        (Struct(known), STRUCT) => bytes.fields(|bytes, id, kind| {
            let expected = known.iter().find(|(known, _)| *known == id);
            match expected {
                Some((_, expected)) => value(bytes, kind, expected),
                None => bytes.skip(kind),
            }
        }),
        _ => None,
    }
}
