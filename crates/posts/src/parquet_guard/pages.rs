//! The pages of a Parquet file: what their headers claim, against the bytes that are there.

use parquet::basic::Compression;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::ChunkReader;

use super::deltas::check_deltas;
use super::format::{PAGE_HEADER, step_over};
use super::malformed::malformed;
use super::thrift::{TRUE, Thrift};
use super::unpacked::{check_unpacked_bytes, is_unbounded};

/// A column has at most this many values for each byte of the file: what tells its rows apart takes more than that.
const VALUES_PER_BYTE: u64 = 64;

/// A compressed page may hold this many bytes, and as many times its own size as no data of posts reaches.
const UNPACKED_BYTES: u64 = 64 << 20;
const UNPACKED_RATIO: u64 = 1000;

/// Encodings that begin with a count of their own (`DELTA_LENGTH_BYTE_ARRAY`, `DELTA_BYTE_ARRAY`).
const DELTAS: [i32; 2] = [6, 7];

/// Refuses rows, values and pages that a file of this size does not hold: the reader asks for memory for them before
/// it looks for them.
pub(super) fn check_pages(file: &impl ChunkReader, metadata: &ParquetMetaData) -> Result<()> {
    let most = file.len().saturating_mul(VALUES_PER_BYTE);
    let groups = metadata.row_groups();
    let rows = groups.iter().map(|group| group.num_rows());
    within(rows.fold(0, i64::saturating_add), most, "rows")?;
    for column in groups.iter().flat_map(|group| group.columns()) {
        let width = column.column_descr().type_length();
        within(width.max(0).into(), file.len(), "bytes in each value")?;
        check_chunk(file, column, most)?;
    }
    Ok(())
}

fn check_chunk(file: &impl ChunkReader, column: &ColumnChunkMetaData, most: u64) -> Result<()> {
    let start = column.dictionary_page_offset();
    let start = start.unwrap_or(column.data_page_offset());
    let place = u64::try_from(start).ok();
    let place = place.zip(u64::try_from(column.compressed_size()).ok());
    let (mut start, length) = place.ok_or_else(|| malformed("a column lies before its start"))?;
    let end = start.saturating_add(length).min(file.len());
    let mut values = 0i64;
    let mut has_deltas = false;
    while start < end {
        let (page, header) = read_header(file, start, end)?;
        let bytes = u64::try_from(page.compressed)
            .map_err(|_| malformed("a page ends before its start"))?;
        check_unpacked(page.uncompressed, bytes)?;
        let body = start.saturating_add(header);
        if page.is_packed && is_unbounded(column.compression()) && body + bytes <= file.len() {
            let packed = file.get_bytes(body, bytes as usize)?;
            page.check_body(column.compression(), &packed)?;
        }
        values = values.saturating_add(page.values.into());
        within(values, most, "values in a column")?;
        has_deltas |= page.has_deltas;
        start = start.saturating_add(header + bytes);
    }
    match has_deltas {
        true => check_deltas(file, column),
        false => Ok(()),
    }
}

/// A page is of one column: a long one is a text or a picture of such a length, or made to fill the memory.
fn check_unpacked(claimed: i32, packed: u64) -> Result<()> {
    let room = UNPACKED_BYTES + packed * UNPACKED_RATIO;
    match u64::try_from(claimed) {
        Ok(claimed) if claimed > room => Err(ParquetError::General(format!(
            "{packed} bytes of it unpack to {claimed}: a value of such a length is no text of a post, and is not read"
        ))),
        Ok(_) => Ok(()),
        Err(_) => Err(malformed("a page ends before its start")),
    }
}

fn within(claimed: i64, most: u64, what: &str) -> Result<()> {
    match u64::try_from(claimed) {
        Ok(claimed) if claimed <= most => Ok(()),
        _ => Err(malformed(&format!(
            "it claims {claimed} {what}; a file of its size holds {most} at most"
        ))),
    }
}

/// Sizes in bytes and numbers of values, as a page's header gives them.
struct PageHeader {
    uncompressed: i32,
    compressed: i32,
    values: i32,
    /// Whether byte arrays are told by differences of their lengths.
    has_deltas: bool,
    /// Bytes of levels that stand before the packed ones.
    levels: u64,
    is_packed: bool,
}

impl PageHeader {
    fn parse(thrift: &mut Thrift) -> Option<Self> {
        step_over(&mut thrift.clone(), &PAGE_HEADER)?;
        let mut page = Self {
            uncompressed: 0,
            compressed: 0,
            values: 0,
            has_deltas: false,
            levels: 0,
            is_packed: true,
        };
        thrift.fields(|header, id, kind| match id {
            2 => header.i32().map(|bytes| page.uncompressed = bytes),
            3 => header.i32().map(|bytes| page.compressed = bytes),
            // Data, dictionary, data in version 2.
            5 | 7 | 8 => {
                let encoding = if id == 8 { 4 } else { 2 };
                header.fields(|of, field, kind| {
                    if field == 1 {
                        page.values = page.values.max(of.i32()?);
                    } else if field == encoding {
                        page.has_deltas |= DELTAS.contains(&of.i32()?);
                    } else if id == 8 && (field == 5 || field == 6) {
                        page.levels += u64::try_from(of.i32()?).unwrap_or(0);
                    } else if id == 8 && field == 7 {
                        page.is_packed = kind == TRUE;
                    } else {
                        of.skip(kind)?;
                    }
                    Some(())
                })
            }
            _ => header.skip(kind),
        })?;
        Some(page)
    }
}

impl PageHeader {
    fn check_body(&self, codec: Compression, body: &[u8]) -> Result<()> {
        let claimed = u64::try_from(self.uncompressed).unwrap_or(0);
        let levels = self.levels.min(body.len() as u64);
        check_unpacked_bytes(
            codec,
            &body[levels as usize..],
            claimed.saturating_sub(levels),
        )
    }
}

/// The header that begins at `start`, and its length.
fn read_header(file: &impl ChunkReader, start: u64, end: u64) -> Result<(PageHeader, u64)> {
    /// What a header without statistics needs; those of long texts take more.
    const USUAL: u64 = 256;
    let mut window = USUAL;
    loop {
        let length = window.min(end - start);
        let bytes = file.get_bytes(start, length as usize)?;
        let mut thrift = Thrift::new(&bytes);
        if let Some(page) = PageHeader::parse(&mut thrift) {
            return Ok((page, length - thrift.left() as u64));
        }
        if length < window {
            return Err(malformed("the header of a page cannot be read"));
        }
        window *= 8;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

    use crate::rows_of;

    fn file(columns: Vec<ArrayRef>, properties: WriterPropertiesBuilder) -> Vec<u8> {
        let names = ["a", "b"].into_iter();
        let batch = RecordBatch::try_from_iter(names.zip(columns)).unwrap();
        let mut file = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut file, batch.schema(), Some(properties.build())).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        file
    }

    /// What is said of a file of three numbers after the first of these bytes became the others.
    fn said_after(found: &[u8], put: &[u8]) -> String {
        let numbers = Arc::new(Int32Array::from(vec![7, 8, 9]));
        let plain = WriterProperties::builder().set_dictionary_enabled(false);
        let file = file(vec![numbers], plain);
        let at = file.windows(found.len()).position(|bytes| bytes == found);
        let (before, after) = file.split_at(at.expect("the bytes are in the file"));
        let file = Bytes::from([before, put, &after[found.len()..]].concat());
        match rows_of(file) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    /// A data page (0) of 12 bytes, 12 compressed, with 3 values; numbers are stored twice as large.
    const HEADER: [u8; 9] = [0x15, 0, 0x15, 24, 0x15, 24, 0x2c, 0x15, 6];

    #[test]
    fn a_page_that_claims_what_no_file_of_its_size_holds_is_refused() {
        assert_eq!(said_after(&HEADER, &HEADER), "");
        let billion = [0x80, 0xa8, 0xd6, 0xb9, 0x07];
        let values = [&HEADER[..8], &billion].concat();
        let said = said_after(&HEADER, &values);
        assert!(
            said.contains("malformed: it claims 1000000000 values in a column; a file"),
            "{said}"
        );
        let unpacked = [&HEADER[..3], &billion, &HEADER[4..]].concat();
        let said = said_after(&HEADER, &unpacked);
        assert!(
            said.contains("bytes of it unpack to 1000000000: a value of such a length is no text"),
            "{said}"
        );
        let negative = [&HEADER[..5], &[23], &HEADER[6..]].concat();
        let said = said_after(&HEADER, &negative);
        assert!(said.contains("a page ends before its start"), "{said}");
    }

    #[test]
    fn a_header_of_truth_values_or_of_other_types_is_refused() {
        // Field 100, a list of a billion truth values, before the others; the next names its number itself.
        let list = [0x09, 0xc8, 1, 0xf1, 0x80, 0x94, 0xeb, 0xdc, 3, 0x05, 2];
        let before = [&list, &HEADER[1..]].concat();
        let short = [&HEADER[..4], &[0x13], &HEADER[5..]].concat();
        let nested = [&HEADER[..7], &[0x13], &HEADER[8..]].concat();
        for header in [before, short, nested] {
            let said = said_after(&HEADER, &header);
            assert!(
                said.contains("the header of a page cannot be read"),
                "{said}"
            );
        }
    }

    #[test]
    fn rows_that_hardly_take_a_byte_and_headers_of_long_texts_are_read() {
        let rows = |columns, properties| {
            let reader = rows_of(Bytes::from(file(columns, properties))).unwrap();
            let batches = reader.build().unwrap();
            batches
                .map(|batch| batch.unwrap().num_rows())
                .sum::<usize>()
        };
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let packed = || WriterProperties::builder().set_compression(zstd);
        let ids = (0..50_000).map(|id| Some(format!("post-{id:06}")));
        let ids: StringArray = ids.collect();
        let same = StringArray::from(vec!["the same in every row"; 50_000]);
        assert_eq!(rows(vec![Arc::new(ids), Arc::new(same)], packed()), 50_000);
        let long = StringArray::from(vec!["long ".repeat(4_000), "longer ".repeat(4_000)]);
        let with_statistics = packed()
            .set_write_page_header_statistics(true)
            .set_statistics_truncate_length(None);
        assert_eq!(rows(vec![Arc::new(long)], with_statistics), 2);
    }
}
