//! The bytes of a part of rows: keys and values as a Parquet file in memory.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, Float16Array, Float32Array,
    RecordBatch,
};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::layout::Layout;
use super::schema::schema_with_maker;
use super::values::{Values, wrong_value};
use crate::Error;
use crate::identity::{EncoderSpec, Key, Maker};

/// Large pages: fewer ranges to read; a page may not reach 2 GiB.
const PAGE_BYTES: usize = 64 << 20;

/// Bytes of values that are handed to the writer at a time: it makes 40 bytes of each 16-bit float before it writes
/// them.
const PIECE_BYTES: usize = 1 << 20;

/// The bytes of a part with these rows, and who makes them.
///
/// # Panics
/// When `values` is not a row of the encoder's width for each key.
pub(crate) fn to_bytes(
    (spec, maker): (&EncoderSpec, &Maker),
    keys: &[Key],
    values: &[f32],
) -> Result<Bytes, Error> {
    let width = spec.width();
    assert_eq!(values.len(), keys.len() * width, "a row for each key");
    let wrong = |index: usize, problem: &str| {
        let key = keys[index / width];
        wrong_value(spec, key, index % width, values[index], problem)
    };
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        let problem =
            "is not a number that can be stored; look at the model's output for this input";
        return Err(wrong(index, problem));
    }
    let rounded = Values::round(values, spec.value_type).map_err(|index| {
        let problem = "is too large for 16-bit floats; encode with `--values f32`";
        wrong(index, problem)
    })?;
    of_values((spec, maker), keys, &rounded)
}

/// [`to_bytes`] of values at the precision at which they are stored.
pub(crate) fn of_values(
    (spec, maker): (&EncoderSpec, &Maker),
    keys: &[Key],
    values: &Values,
) -> Result<Bytes, Error> {
    let bytes = to_parquet((spec, maker), keys, values).map_err(std::io::Error::other);
    let bytes = bytes.map_err(|source| Error::write(&spec.name, source))?;
    check(spec, &bytes, keys, values);
    Ok(bytes)
}

fn to_parquet(
    (spec, maker): (&EncoderSpec, &Maker),
    keys: &[Key],
    values: &Values,
) -> Result<Bytes, ArrowError> {
    let schema = Arc::new(schema_with_maker(spec, maker));
    let keys = FixedSizeBinaryArray::try_from_iter(keys.iter().map(Key::as_bytes))?;
    let DataType::FixedSizeList(item, width) = schema.field(1).data_type() else {
        unreachable!("the schema above has a list in this place")
    };
    let values: ArrayRef = match values {
        Values::F32(values) => Arc::new(Float32Array::from(values.clone())),
        Values::F16(values) => Arc::new(Float16Array::from(values.clone())),
    };
    let values = FixedSizeListArray::try_new(item.clone(), *width, values, None)?;
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(keys), Arc::new(values)])?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_max_row_group_row_count(None)
        .build();
    let mut bytes = Vec::with_capacity(values_bytes(&batch));
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties))?;
    let rows = (PIECE_BYTES / spec.row_bytes()).max(1);
    for first in (0..batch.num_rows()).step_by(rows) {
        writer.write(&batch.slice(first, rows.min(batch.num_rows() - first)))?;
    }
    writer.close()?;
    Ok(bytes.into())
}

fn values_bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns.map(|column| column.get_buffer_memory_size()).sum()
}

/// A part is read back before it is kept: nothing is stored that could not be loaded as it was.
fn check(spec: &EncoderSpec, bytes: &Bytes, keys: &[Key], values: &Values) {
    let layout = Layout::of(bytes, spec).expect("the part was written for this layout");
    let stored = layout.keys(bytes).expect("the part lies in memory");
    assert_eq!(stored, keys, "keys of a part read back");
    let mut read = Values::zeros(spec.value_type, values.len());
    let mut rows = read.split_mut(&[values.len()]);
    for row in 0..layout.rows() {
        let filled = rows[0].fill(row * spec.width(), &bytes[layout.row(row)]);
        filled.expect("the values were checked before they were written");
    }
    assert!(read == *values, "values of a part read back");
}
