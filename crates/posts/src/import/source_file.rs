//! Files and folders that are imported.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::lines::BOM;
use crate::Error;
use crate::files::{open_regular, wide_encoding};

/// The longest line: what is longer is no dataset, and would be in memory as a whole.
const MAX_LINE: usize = 512 << 20;

/// A file, up to a line that is longer than [`MAX_LINE`].
#[derive(Debug)]
pub(super) struct LineLimit {
    file: File,
    /// Bytes since the last line end.
    line: usize,
    longest: usize,
}

impl LineLimit {
    fn of(file: File) -> Self {
        Self {
            file,
            line: 0,
            longest: MAX_LINE,
        }
    }
}

impl Read for LineLimit {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        let last = into[..read].iter().rposition(|byte| *byte == b'\n');
        self.line = last.map_or(self.line + read, |end| read - 1 - end);
        match self.line > self.longest {
            true => Err(io::Error::other("it has a line of more than 512 MiB")),
            false => Ok(read),
        }
    }
}

/// The folder to read, as an absolute path without links.
pub(super) fn existing_folder(root: &Path, expected: &str) -> Result<PathBuf, Error> {
    if !root.is_dir() {
        return Err(Error::Missing {
            path: root.to_owned(),
            expected: expected.to_owned(),
        });
    }
    canonical(root)
}

pub(super) fn canonical(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

/// The bytes of a file of text, which must exist and hold something.
pub(super) fn read_file(path: &Path, expected: &str) -> Result<Vec<u8>, Error> {
    let mut data = Vec::new();
    let read = open(path, expected)?.read_to_end(&mut data);
    read.map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    match data.trim_ascii().is_empty() {
        true => Err(empty(path, expected)),
        false => Ok(data),
    }
}

/// A file of text behind its byte order mark, to be read piece by piece; it must exist and hold something.
pub(super) fn open(path: &Path, expected: &str) -> Result<BufReader<LineLimit>, Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing {
            path: path.to_owned(),
            expected: expected.to_owned(),
        },
        _ => Error::Read {
            path: path.to_owned(),
            source,
        },
    };
    let mut file = BufReader::new(LineLimit::of(open_regular(path).map_err(failed)?));
    let head = file.fill_buf().map_err(failed)?;
    if head.is_empty() || head == BOM {
        return Err(empty(path, expected));
    }
    if let Some(encoding) = wide_encoding(head) {
        let found = format!("is {encoding}, not UTF-8");
        let expected = format!("{expected}, as UTF-8: `iconv -f {encoding} -t UTF-8` makes it so");
        return Err(useless(path, &found, &expected));
    }
    if head.starts_with(BOM) {
        file.consume(BOM.len());
    }
    Ok(file)
}

/// A file that should hold something.
pub(super) fn empty(path: &Path, expected: &str) -> Error {
    useless(path, "is empty", expected)
}

fn useless(path: &Path, found: &str, expected: &str) -> Error {
    Error::Unusable {
        path: path.to_owned(),
        found: found.to_owned(),
        expected: expected.to_owned(),
    }
}

/// Refuses the first line of a file, which names its columns, if it is not UTF-8.
pub(super) fn check_header(path: &Path, header: &[u8], expected: &str) -> Result<(), Error> {
    match std::str::from_utf8(header) {
        Ok(_) => Ok(()),
        Err(_) => {
            let expected = format!("{expected}, as UTF-8");
            Err(useless(path, "is not UTF-8", &expected))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn other_encodings_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.csv");
        let utf16 = |to_bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            "id,text\n1,ä\n".encode_utf16().flat_map(to_bytes).collect()
        };
        let little = utf16(u16::to_le_bytes);
        let big = utf16(u16::to_be_bytes);
        for (bytes, name) in [
            (
                [&[0xFF, 0xFE][..], &little].concat(),
                "is UTF-16, not UTF-8",
            ),
            ([&[0xFE, 0xFF][..], &big].concat(), "is UTF-16, not UTF-8"),
            (little, "is UTF-16LE, not UTF-8"),
            (big, "is UTF-16BE, not UTF-8"),
        ] {
            fs::write(&path, bytes).unwrap();
            let said = open(&path, "a manifest").unwrap_err().to_string();
            assert!(
                said.contains(name) && said.contains("m.csv") && said.contains("iconv"),
                "{said}"
            );
        }
        fs::write(&path, "id,text\n").unwrap();
        assert!(open(&path, "").is_ok());
    }

    #[test]
    fn a_line_without_an_end_is_not_read_into_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.csv");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            let mut file = LineLimit::of(File::open(&path).unwrap());
            file.longest = 3;
            // one byte at a time, since a line may come in several pieces
            let mut all = String::new();
            let mut pieces = BufReader::with_capacity(1, file);
            pieces.read_to_string(&mut all).map(|_| all)
        };
        assert_eq!(read("abc\ndef").unwrap(), "abc\ndef");
        assert!(read("abc\ndefg").is_err());
    }
}
