//! Files from outside as they are opened: regular ones, since the kernel has files that never end, and texts in UTF-8.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::Error;

/// Opens a regular file. What else has a name may never end, or waits for somebody who writes.
pub fn open_regular(path: &Path) -> io::Result<File> {
    if !path.metadata()?.is_file() {
        let problem = "it is no regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    File::open(path)
}

/// All of a regular file.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a text in UTF-8; another encoding is named.
pub fn read_text(path: &Path) -> Result<String, Error> {
    let bytes = read_regular(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    let encoding = wide_encoding(&bytes);
    String::from_utf8(bytes).map_err(|_| Error::Unusable {
        path: path.to_owned(),
        found: encoding.map_or("is not UTF-8".into(), |name| {
            format!("is {name}, not UTF-8")
        }),
        expected: "text in UTF-8".to_owned(),
    })
}

/// The encoding of a text whose characters have two or four bytes: told by its mark, or by ASCII with zeros between.
pub(crate) fn wide_encoding(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xFF, 0xFE, 0, 0, ..] | [1..=255, 0, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Some("UTF-32"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("UTF-16"),
        [1..=255, 0, 1..=255, 0, ..] => Some("UTF-16LE"),
        [0, 1..=255, 0, 1..=255, ..] => Some("UTF-16BE"),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_link_to_an_endless_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("model.onnx");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert!(open_regular(&link).is_err());
        assert!(read_text(&link).is_err());
        assert!(crate::hash::sha256_of_file(&link).is_err());
    }

    #[test]
    fn a_text_in_another_encoding_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("experiment.toml");
        let wide: Vec<u8> = "a = 'ä'"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for (bytes, found) in [
            ([&[0xFF, 0xFE][..], &wide].concat(), "is UTF-16, not UTF-8"),
            (b"a = '\xE4'".to_vec(), "is not UTF-8"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let said = read_text(&path).unwrap_err().to_string();
            assert!(said.contains(found) && said.contains(".toml"), "{said}");
        }
        std::fs::write(&path, "a = 'ä'").unwrap();
        assert_eq!(read_text(&path).unwrap(), "a = 'ä'");
    }
}
