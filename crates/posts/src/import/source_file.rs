//! Files and folders that are imported.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::lines::BOM;
use crate::Error;

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
pub(super) fn open(path: &Path, expected: &str) -> Result<BufReader<File>, Error> {
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
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
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

/// The encoding of a text whose characters have two or four bytes: told by its mark, or by ASCII with zeros between.
fn wide_encoding(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xFF, 0xFE, 0, 0, ..] | [1..=255, 0, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Some("UTF-32"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("UTF-16"),
        [1..=255, 0, 1..=255, 0, ..] => Some("UTF-16LE"),
        [0, 1..=255, 0, 1..=255, ..] => Some("UTF-16BE"),
        _ => None,
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
}
