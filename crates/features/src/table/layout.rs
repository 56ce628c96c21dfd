//! Where the values of a part lie in its file. Parts are written plain and uncompressed, so a row is a range of bytes, and reading is copying:
//! Parquet's own reader walks through two levels a value, 130 million for the texts of one dataset.

use std::fs::File;

use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::ChunkReader;

use mmfnd_posts::{metadata_of, without_panic};

use crate::disk::part::Part;
use crate::table::part_bytes::{PRECISION, PROVIDER};
use crate::{EncoderSpec, Key, ValueType};

/// Rows that lie one after the other.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: usize,
    rows: usize,
    offset: usize,
}

/// Where keys and values lie.
#[derive(Debug)]
pub(crate) struct Layout {
    rows: usize,
    keys: Vec<Run>,
    values: Vec<Run>,
    row_bytes: usize,
    /// Provider and precision that made the part; `None` in parts of versions that did not record them.
    made_by: Option<(String, String)>,
}

impl Layout {
    /// Reads the footer of a part; the error says what is not as it should be.
    pub(crate) fn of(file: &impl ChunkReader, spec: &EncoderSpec) -> Result<Self, String> {
        let metadata = without_panic(|| {
            let metadata = metadata_of(file)?;
            check_schema(&metadata, spec).map(|()| metadata)
        });
        let metadata = metadata.map_err(|error: ParquetError| error.to_string())?;
        if metadata.num_row_groups() != 1 {
            return Err(format!("{} row groups, not 1", metadata.num_row_groups()));
        }
        let file_bytes = usize::try_from(file.len()).map_err(|error| error.to_string())?;
        let keys = runs(&metadata, 0, Key::BYTES, file_bytes)?;
        let values = runs(&metadata, 1, spec.row_bytes(), file_bytes)?;
        let rows = |runs: &[Run]| -> usize { runs.iter().map(|run| run.rows).sum() };
        if rows(&keys) != rows(&values) {
            return Err(format!(
                "{} keys for {} rows of values",
                rows(&keys),
                rows(&values)
            ));
        }
        Ok(Self {
            rows: rows(&keys),
            keys,
            values,
            row_bytes: spec.row_bytes(),
            made_by: made_by(&metadata),
        })
    }

    /// Provider and precision that made the part.
    pub(crate) fn made_by(&self) -> Option<&(String, String)> {
        self.made_by.as_ref()
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The bytes of a row's values in the file.
    pub(crate) fn row(&self, row: usize) -> std::ops::Range<usize> {
        let run = self.values.partition_point(|run| run.first <= row) - 1;
        let Run { first, offset, .. } = self.values[run];
        let start = offset + (row - first) * self.row_bytes;
        start..start + self.row_bytes
    }

    /// All keys, in the order of the rows.
    pub(crate) fn keys(&self, file: &impl ChunkReader) -> Result<Vec<Key>, ParquetError> {
        let mut keys = Vec::with_capacity(self.rows);
        for run in &self.keys {
            let bytes = file.get_bytes(run.offset as u64, run.rows * Key::BYTES)?;
            let (chunks, _) = bytes.as_chunks::<{ Key::BYTES }>();
            keys.extend(chunks.iter().copied().map(Key::from_bytes));
        }
        Ok(keys)
    }
}

/// Arrow's writer keeps the metadata of the schema within the encoded schema, not beside it.
fn made_by(metadata: &ParquetMetaData) -> Option<(String, String)> {
    let file = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata()).ok()?;
    let value = |key: &str| schema.metadata().get(key).cloned();
    Some((value(PROVIDER)?, value(PRECISION)?))
}

/// Layout and keys of a part; the rest of the file is not read.
pub(crate) fn open(part: &Part, spec: &EncoderSpec) -> Result<(Layout, Vec<Key>), String> {
    let file = File::open(&part.path).map_err(|error| error.to_string())?;
    let layout = Layout::of(&file, spec)?;
    let keys = layout.keys(&file).map_err(|error| error.to_string())?;
    Ok((layout, keys))
}

/// The arrow schema of a part.
pub(crate) fn schema(spec: &EncoderSpec) -> Schema {
    let value = match spec.value_type {
        ValueType::F32 => DataType::Float32,
        ValueType::F16 => DataType::Float16,
    };
    let width = i32::try_from(spec.width()).expect("checked when the encoder was added");
    let item = Field::new("element", value, false).into();
    let key = DataType::FixedSizeBinary(Key::BYTES as i32);
    Schema::new(vec![
        Field::new("key", key, false),
        Field::new("value", DataType::FixedSizeList(item, width), false),
    ])
}

fn check_schema(metadata: &ParquetMetaData, spec: &EncoderSpec) -> Result<(), ParquetError> {
    let file = metadata.file_metadata();
    let found = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
    if found.fields() == schema(spec).fields() {
        return Ok(());
    }
    let expected = schema(spec);
    Err(ParquetError::General(format!(
        "columns {:?}, expected {:?}",
        found.fields(),
        expected.fields()
    )))
}

/// The runs of a column, from the page index: a page is its header, its levels (which say nothing, as no value is null), then its values.
///
/// The file may be damaged: nothing in it is trusted to lie within `file_bytes`.
fn runs(
    metadata: &ParquetMetaData,
    column: usize,
    row_bytes: usize,
    file_bytes: usize,
) -> Result<Vec<Run>, &'static str> {
    let group = metadata.row_group(0);
    let chunk = group.column(column);
    let is_plain = |encoding| matches!(encoding, Encoding::PLAIN | Encoding::RLE);
    if chunk.compression() != Compression::UNCOMPRESSED || !chunk.encodings().all(is_plain) {
        return Err("it is not plain and uncompressed");
    }
    let index = metadata.page_index_for_row_group(0);
    let pages = index.page_locations(column).ok_or("no page index")?;
    let firsts = pages.iter().map(|page| page.first_row_index);
    let nexts = firsts.clone().skip(1).chain([group.num_rows()]);
    if firsts.clone().next() != Some(0) {
        return Err("it has no first page");
    }
    let run = |((page, first), next): ((&PageLocation, i64), i64)| {
        let end = page.offset.checked_add(page.compressed_page_size.into())?;
        let end = usize::try_from(end).ok().filter(|&end| end <= file_bytes)?;
        let rows = usize::try_from(next.checked_sub(first)?).ok()?;
        Some(Run {
            first: usize::try_from(first).ok()?,
            rows,
            offset: end.checked_sub(rows.checked_mul(row_bytes)?)?,
        })
    };
    let runs = pages.iter().zip(firsts).zip(nexts).map(run);
    runs.collect::<Option<_>>().ok_or("its pages do not fit")
}
