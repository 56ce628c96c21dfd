//! What Parquet's reader does not refuse by itself (found by fuzzing).
//!
//! It panics at negative places and lengths of columns; here that is an error. Of what it skips in the footer it counts the truth values of a list one by one, whatever number the list claims, and none of them costs a
//! byte (<https://github.com/apache/arrow-rs/issues/9874>); here such a list is refused before.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;

/// Reads; a panic on the way is an error of the file.
pub fn without_panic<T, E: From<ParquetError>>(
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    // What the reader leaves behind is not used any more after an error.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        let problem = "it is malformed: its reader gave up";
        Err(ParquetError::General(problem.to_owned()).into())
    })
}

/// Refuses a footer with a list of more elements than the footer has bytes. What is not a Parquet file at all is left to the reader.
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
            Thrift(&footer).skip(Thrift::STRUCT, 0).ok_or_else(|| {
                let problem = "it is malformed: its footer ends too early";
                ParquetError::General(problem.to_owned())
            })
        }
        _ => Ok(()),
    }
}

/// Bytes in Thrift's compact protocol (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>). `None` where they end too early.
struct Thrift<'a>(&'a [u8]);

impl Thrift<'_> {
    const STRUCT: u8 = 12;
    /// As deep as Parquet's reader goes.
    const DEPTH: usize = 64;

    fn take(&mut self, bytes: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.0.first()?;
        self.take(1)?;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0u64, 0u32);
        loop {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
    }

    /// Steps over a value of a type.
    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            _ if depth > Self::DEPTH => None,
            1 | 2 => Some(()),
            3 => self.take(1),
            4..=6 => self.varint().map(drop),
            7 => self.take(8),
            8 => {
                let bytes = self.varint()?;
                self.take(bytes)
            }
            9 | 10 => {
                let head = self.byte()?;
                let elements = match head >> 4 {
                    15 => self.varint()?,
                    few => few.into(),
                };
                self.elements(elements, &[head & 0xf], depth)
            }
            11 => match self.varint()? {
                0 => Some(()),
                elements => {
                    let kinds = self.byte()?;
                    self.elements(elements, &[kinds >> 4, kinds & 0xf], depth)
                }
            },
            Self::STRUCT => loop {
                let field = self.byte()?;
                match field & 0xf {
                    0 => return Some(()),
                    kind => {
                        if field >> 4 == 0 {
                            self.varint()?;
                        }
                        self.skip(kind, depth + 1)?;
                    }
                }
            },
            13 => self.take(16),
            _ => None,
        }
    }

    /// Steps over what a list or a map holds; each element has at least one byte.
    fn elements(&mut self, count: u64, kinds: &[u8], depth: usize) -> Option<()> {
        for _ in 0..count {
            for &kind in kinds {
                match kind {
                    // A truth value is in the field's head, but a byte in a list.
                    1 | 2 => self.take(1)?,
                    _ => self.skip(kind, depth + 1)?,
                }
            }
        }
        Some(())
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
            let expected = "Parquet error: it is malformed: its footer ends too early";
            assert_eq!(said, Err(expected.to_owned()), "{kind}");
        }
        let two = list(1, &[2, 1, 2]);
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
