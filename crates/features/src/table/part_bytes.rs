//! The bytes of a part of rows: keys and values as a Parquet file in memory.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, Float16Array, Float32Array,
    Int32Array, ListArray, RecordBatch,
};
use arrow::buffer::OffsetBuffer;
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

/// Rows that belong together.
#[derive(Debug)]
pub(crate) struct Rows<'a, V: ?Sized> {
    pub(crate) keys: &'a [Key],
    /// Of a ragged encoder how many tokens each has; else empty.
    pub(crate) tokens: &'a [u32],
    pub(crate) values: &'a V,
}

// Not derived: that would ask the values themselves to be so.
impl<V: ?Sized> Clone for Rows<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: ?Sized> Copy for Rows<'_, V> {}

/// The bytes of a part with these rows, and who makes them.
///
/// # Panics
/// When `values` is not a row of the encoder's width for each key.
pub(crate) fn to_bytes(
    (spec, maker): (&EncoderSpec, &Maker),
    rows: Rows<[f32]>,
) -> Result<Bytes, Error> {
    let Rows {
        keys,
        tokens,
        values,
    } = rows;
    let starts = spec.starts(keys.len(), tokens);
    assert_eq!(Some(&values.len()), starts.last(), "a row for each key");
    let wrong = |index: usize, problem: &str| {
        let row = starts.partition_point(|&start| start <= index) - 1;
        wrong_value(spec, keys[row], index - starts[row], values[index], problem)
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
    let rounded = &rounded;
    of_values(
        (spec, maker),
        Rows {
            keys,
            tokens,
            values: rounded,
        },
    )
}

/// [`to_bytes`] of values at the precision at which they are stored.
pub(crate) fn of_values(
    (spec, maker): (&EncoderSpec, &Maker),
    rows: Rows<Values>,
) -> Result<Bytes, Error> {
    let bytes = to_parquet((spec, maker), rows).map_err(std::io::Error::other);
    let bytes = bytes.map_err(|source| Error::write(&spec.name, source))?;
    check(spec, &bytes, rows);
    Ok(bytes)
}

fn to_parquet(
    (spec, maker): (&EncoderSpec, &Maker),
    rows: Rows<Values>,
) -> Result<Bytes, ArrowError> {
    let schema = Arc::new(schema_with_maker(spec, maker));
    let keys = FixedSizeBinaryArray::try_from_iter(rows.keys.iter().map(Key::as_bytes))?;
    let mut columns: Vec<ArrayRef> = vec![Arc::new(keys)];
    let values: ArrayRef = match rows.values {
        Values::F32(values) => Arc::new(Float32Array::from(values.clone())),
        Values::F16(values) => Arc::new(Float16Array::from(values.clone())),
    };
    let last = schema.fields().len() - 1;
    match schema.field(last).data_type() {
        DataType::FixedSizeList(item, width) => {
            let list = FixedSizeListArray::try_new(item.clone(), *width, values, None)?;
            columns.push(Arc::new(list));
        }
        DataType::List(item) => {
            let tokens = rows.tokens.iter().map(|&tokens| tokens as i32);
            columns.push(Arc::new(Int32Array::from_iter_values(tokens)));
            let lengths = spec.starts(rows.keys.len(), rows.tokens);
            let lengths = lengths.windows(2).map(|pair| pair[1] - pair[0]);
            let offsets = OffsetBuffer::from_lengths(lengths);
            columns.push(Arc::new(ListArray::try_new(
                item.clone(),
                offsets,
                values,
                None,
            )?));
        }
        _ => unreachable!("the schema has a list in its last place"),
    }
    let batch = RecordBatch::try_new(schema.clone(), columns)?;
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
fn check(spec: &EncoderSpec, bytes: &Bytes, rows: Rows<Values>) {
    let (keys, values) = (rows.keys, rows.values);
    let layout = Layout::of(bytes, spec).expect("the part was written for this layout");
    let stored = layout.keys(bytes).expect("the part lies in memory");
    assert_eq!(stored, keys, "keys of a part read back");
    let mut read = Values::zeros(spec.value_type, values.len());
    let starts = spec.starts(keys.len(), rows.tokens);
    let mut target = read.split_mut(&[values.len()]);
    for row in 0..layout.rows() {
        let filled = target[0].fill(starts[row], &bytes[layout.row(row)]);
        filled.expect("the values were checked before they were written");
    }
    assert!(read == *values, "values of a part read back");
}
