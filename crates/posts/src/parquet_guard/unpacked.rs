//! Pages that unpack to more than they claim: of three codecs the reader takes whatever comes, and a few kilobytes may
//! become gigabytes.

use std::io::{self, Read};

use parquet::basic::Compression;
use parquet::errors::Result;

use super::malformed::malformed;

/// Whether the reader believes what a codec unpacks to: the others fill the room that the header claims, or fail.
pub(super) fn is_unbounded(codec: Compression) -> bool {
    matches!(
        codec,
        Compression::GZIP(_) | Compression::BROTLI(_) | Compression::LZ4
    )
}

/// Refuses packed bytes that unpack to more than the claimed number; what cannot be unpacked is left to the reader.
pub(super) fn check_unpacked_bytes(codec: Compression, packed: &[u8], claimed: u64) -> Result<()> {
    let unpacked = match codec {
        Compression::GZIP(_) => count(flate2::read::MultiGzDecoder::new(packed), claimed),
        Compression::BROTLI(_) => count(brotli::Decompressor::new(packed, 4096), claimed),
        Compression::LZ4 => count(lz4_flex::frame::FrameDecoder::new(packed), claimed),
        _ => Ok(0),
    };
    match unpacked {
        Ok(bytes) if bytes > claimed => Err(malformed("a page unpacks to more than it claims")),
        _ => Ok(()),
    }
}

/// How many bytes come out, counted no further than one beyond `most`.
fn count(unpack: impl Read, most: u64) -> io::Result<u64> {
    io::copy(&mut unpack.take(most + 1), &mut io::sink())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{BrotliLevel, Compression, GzipLevel};
    use parquet::file::properties::{WriterProperties, WriterVersion};

    use super::check_unpacked_bytes;
    use crate::{metadata_of, rows_of};

    #[test]
    fn frames_of_lz4_are_counted_and_other_bytes_are_left_to_the_reader() {
        let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
        std::io::Write::write_all(&mut frame, &[0; 100_000]).unwrap();
        let frame = frame.finish().unwrap();
        assert!(check_unpacked_bytes(Compression::LZ4, &frame, 100_000).is_ok());
        assert!(check_unpacked_bytes(Compression::LZ4, &frame, 99_999).is_err());
        assert!(check_unpacked_bytes(Compression::LZ4, b"no frame", 0).is_ok());
    }

    #[test]
    fn a_page_that_unpacks_to_more_than_it_claims_is_refused() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a".repeat(100_000); 3]));
        let batch = RecordBatch::try_from_iter([("text", texts)]).unwrap();
        let codecs = [
            Compression::GZIP(GzipLevel::default()),
            Compression::BROTLI(BrotliLevel::default()),
        ];
        let versions = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
        for (codec, version) in codecs
            .iter()
            .flat_map(|codec| versions.map(|v| (*codec, v)))
        {
            let properties = WriterProperties::builder()
                .set_writer_version(version)
                .set_dictionary_enabled(false)
                .set_compression(codec);
            let mut file = Vec::new();
            let mut writer =
                ArrowWriter::try_new(&mut file, batch.schema(), Some(properties.build())).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
            rows_of(Bytes::from(file.clone())).unwrap();
            let metadata = metadata_of(&Bytes::from(file.clone())).unwrap();
            let start = metadata.row_group(0).column(0).data_page_offset() as usize;
            // The kind of the page, then its size when it is unpacked, which becomes a sixteenth or less.
            assert_eq!((file[start], file[start + 2]), (0x15, 0x15));
            let size = &mut file[start + 3..start + 6];
            assert!(size[0] & size[1] & 0x80 > 0 && size[2] & 0x80 == 0);
            size[2] = 1;
            let said = rows_of(Bytes::from(file))
                .map(drop)
                .unwrap_err()
                .to_string();
            let expected = "a page unpacks to more than it claims";
            assert!(said.contains(expected), "{codec:?} {version:?} {said}");
        }
    }
}
