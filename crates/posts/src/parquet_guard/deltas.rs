//! Byte arrays whose lengths are packed as differences: such a page counts its lengths once more, and the reader asks
//! for memory for that many before it looks for them.

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::errors::Result;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::malformed::malformed;
use super::thrift::Thrift;

/// Refuses a page that counts more lengths than it has values. The headers of the pages must have been checked.
pub(super) fn check_deltas(file: &impl ChunkReader, column: &ColumnChunkMetaData) -> Result<()> {
    let mut pages = SerializedPageReader::new(Borrowed(file).into(), column, 0, None)?;
    while let Some(page) = pages.get_next_page()? {
        let runs = match page.encoding() {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
            Encoding::DELTA_BYTE_ARRAY => 2,
            _ => continue,
        };
        let fits = values(&page, column).is_some_and(|mut values| {
            (0..runs).all(|_| lengths(&mut values).is_some_and(|n| n <= page.num_values().into()))
        });
        if !fits {
            return Err(malformed("a page has other lengths than it has values"));
        }
    }
    Ok(())
}

/// What a page has behind its levels.
fn values<'a>(page: &'a Page, column: &ColumnChunkMetaData) -> Option<Thrift<'a>> {
    let mut bytes = Thrift::new(page.buffer());
    match page {
        Page::DataPage {
            num_values,
            def_level_encoding,
            rep_level_encoding,
            ..
        } => {
            let descriptor = column.column_descr();
            let repetition = (descriptor.max_rep_level(), rep_level_encoding);
            let definition = (descriptor.max_def_level(), def_level_encoding);
            for (highest, encoding) in [repetition, definition] {
                let bits = u64::from(i16::BITS - highest.leading_zeros());
                match encoding {
                    _ if highest == 0 => (),
                    Encoding::RLE => {
                        let length = [(); 4].map(|()| bytes.byte());
                        let [Some(a), Some(b), Some(c), Some(d)] = length else {
                            return None;
                        };
                        bytes.take(u32::from_le_bytes([a, b, c, d]).into())?;
                    }
                    _ => bytes.take((u64::from(*num_values) * bits).div_ceil(8))?,
                }
            }
        }
        Page::DataPageV2 {
            def_levels_byte_len,
            rep_levels_byte_len,
            ..
        } => bytes.take(u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len))?,
        Page::DictionaryPage { .. } => (),
    }
    Some(bytes)
}

/// Steps over a run of packed differences
/// (<https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTAENC>); how many numbers it holds.
fn lengths(bytes: &mut Thrift) -> Option<u64> {
    let block = bytes.varint()?;
    let parts = bytes.varint()?;
    let count = bytes.varint()?;
    bytes.varint()?;
    let in_part = block.checked_div(parts)?;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        bytes.varint()?;
        let mut widths = 0;
        for _ in 0..parts {
            let width = u64::from(bytes.byte()?);
            // The widths of parts that no number is left for say nothing.
            widths += if left > 0 { width } else { 0 };
            left = left.saturating_sub(in_part);
        }
        bytes.take(widths.checked_mul(in_part)? / 8)?;
    }
    Some(count)
}

/// A file that stays with its owner.
struct Borrowed<'a, R>(&'a R);

impl<R: Length> Length for Borrowed<'_, R> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl<R: ChunkReader> ChunkReader for Borrowed<'_, R> {
    type T = R::T;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        self.0.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use arrow::datatypes::DataType;
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::{WriterProperties, WriterVersion};

    use super::*;
    use crate::rows_of;

    const ENCODINGS: [Encoding; 2] = [
        Encoding::DELTA_LENGTH_BYTE_ARRAY,
        Encoding::DELTA_BYTE_ARRAY,
    ];
    const VERSIONS: [WriterVersion; 2] = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];

    fn file(column: &ArrayRef, encoding: Encoding, version: WriterVersion) -> Vec<u8> {
        let properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_dictionary_enabled(false)
            .set_encoding(encoding)
            .build();
        let batch = RecordBatch::try_from_iter([("text", column.clone())]).unwrap();
        let mut file = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        file
    }

    /// Texts of all lengths, with gaps or without.
    fn texts(count: usize, gaps: bool) -> ArrayRef {
        let text =
            |row: usize| (!gaps || !row.is_multiple_of(7)).then(|| "ab".repeat(row * row % 300));
        Arc::new((0..count).map(text).collect::<StringArray>())
    }

    #[test]
    fn lengths_of_every_kind_are_read() {
        for count in [1, 2, 33, 129, 3_000] {
            let texts = texts(count, true);
            let list = DataType::new_list(DataType::Utf8, true);
            let lists = arrow::compute::cast(&texts, &list).unwrap();
            for (encoding, version) in ENCODINGS.iter().flat_map(|e| VERSIONS.map(|v| (*e, v))) {
                for column in [&texts, &lists] {
                    let reader = rows_of(Bytes::from(file(column, encoding, version))).unwrap();
                    let mut batches = reader.with_batch_size(count).build().unwrap();
                    let read = batches.next().unwrap().unwrap();
                    assert_eq!(read.column(0), column, "{count} {encoding} {version:?}");
                }
            }
        }
    }

    #[test]
    fn more_lengths_than_values_are_refused() {
        /// Blocks of 128 in 4 parts, and as many lengths.
        const BEFORE: [u8; 5] = [0x80, 1, 4, 0xc8, 1];
        const MANY: [u8; 8] = [0x80, 1, 4, 0x80, 0x80, 0x80, 0x80, 0x20];
        let texts = texts(200, false);
        for (encoding, version) in ENCODINGS.iter().flat_map(|e| VERSIONS.map(|v| (*e, v))) {
            let good = file(&texts, encoding, version);
            let runs = good.windows(BEFORE.len()).enumerate();
            let runs = runs.filter(|(_, bytes)| *bytes == BEFORE).map(|(at, _)| at);
            let runs: Vec<_> = runs.collect();
            let expected = 1 + usize::from(encoding == Encoding::DELTA_BYTE_ARRAY);
            assert_eq!(runs.len(), expected, "{encoding} {version:?}");
            for at in runs {
                let (before, after) = good.split_at(at);
                let bad = [before, &MANY, &after[BEFORE.len()..]].concat();
                let said = rows_of(Bytes::from(bad)).map(drop).unwrap_err().to_string();
                let problem = "a page has other lengths than it has values";
                assert!(said.contains(problem), "{encoding} {version:?} {said}");
            }
        }
    }
}
