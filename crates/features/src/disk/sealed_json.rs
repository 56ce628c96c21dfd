//! JSON files that carry the SHA-256 of themselves, so that any flipped bit is found.

use std::io::{ErrorKind, Write};
use std::path::Path;

use mmfnd_posts::atomic;
use mmfnd_posts::hash::sha256_hex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The newest format that this program reads and writes.
///
/// Format 2: an encoder's parts need not begin with number 0.
pub(crate) const FORMAT: u32 = 2;

/// The oldest one that it reads.
const OLDEST: u32 = 1;

/// Stands in the place of the checksum while it is computed.
const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Serialize)]
struct Sealed<'a, T> {
    format: u32,
    checksum: &'a str,
    #[serde(flatten)]
    content: &'a T,
}

#[derive(Deserialize)]
struct Head {
    format: u32,
    checksum: String,
}

/// Writes `content` with a checksum, whole or not at all.
pub(crate) fn write<T: Serialize>(path: &Path, content: &T) -> Result<(), Error> {
    let blank = to_text(content, BLANK).map_err(|error| Error::write(path, error.into()))?;
    let checksum = sha256_hex(blank.as_bytes());
    let text = to_text(content, &checksum).map_err(|error| Error::write(path, error.into()))?;
    atomic::write(path, |file| file.write_all(text.as_bytes()))?;
    Ok(())
}

fn to_text<T: Serialize>(content: &T, checksum: &str) -> serde_json::Result<String> {
    let sealed = Sealed {
        format: FORMAT,
        checksum,
        content,
    };
    Ok(serde_json::to_string_pretty(&sealed)? + "\n")
}

/// Reads what [`write`] wrote; `remedy` says what to do when it is damaged.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, remedy: &str) -> Result<T, Error> {
    let damaged = |problem: String| Error::Damaged {
        path: path.to_owned(),
        problem,
        remedy: remedy.to_owned(),
    };
    let bytes = std::fs::read(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => damaged("it is missing".to_owned()),
        _ => Error::read(path, source),
    })?;
    let text = str::from_utf8(&bytes).map_err(|error| damaged(error.to_string()))?;
    let head: Head = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    if head.format > FORMAT {
        return Err(Error::NewerFormat {
            path: path.to_owned(),
            found: head.format,
            known: FORMAT,
        });
    }
    if head.format < OLDEST {
        return Err(Error::OlderFormat {
            path: path.to_owned(),
            found: head.format,
            known: OLDEST,
        });
    }
    let blank = text.replacen(&head.checksum, BLANK, 1);
    if sha256_hex(blank.as_bytes()) != head.checksum {
        return Err(damaged("its checksum does not match".to_owned()));
    }
    serde_json::from_str(text).map_err(|error| damaged(error.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write(&path, &serde_json::json!({"name": "bert", "rows": 7})).unwrap();
        read::<serde_json::Value>(&path, "").unwrap();
        let good = std::fs::read(&path).unwrap();
        for index in 0..8 * good.len() {
            let mut bad = good.clone();
            bad[index / 8] ^= 1 << (index % 8);
            std::fs::write(&path, bad).unwrap();
            let error = read::<serde_json::Value>(&path, "")
                .unwrap_err()
                .to_string();
            assert!(error.contains("a.json"), "bit {index}: {error}");
        }
    }
}
