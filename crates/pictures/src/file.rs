//! A picture's file: only what is a regular file of a bearable length is read.

use std::path::Path;

use crate::refusal::{MAX_BYTES, Refusal};

/// Reads a picture's file.
pub fn read(path: &Path) -> Result<Vec<u8>, Refusal> {
    size(path)?;
    std::fs::read(path).map_err(|error| Refusal::Unreadable(error.kind().to_string()))
}

/// Bytes of a file that [`read`] would read.
pub fn size(path: &Path) -> Result<u64, Refusal> {
    // A named pipe or a device would block or never end.
    match path.metadata() {
        Ok(found) if !found.is_file() => Err(Refusal::Missing),
        Ok(found) if found.len() > MAX_BYTES => Err(Refusal::TooManyBytes(found.len())),
        Ok(found) => Ok(found.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Refusal::Missing),
        Err(error) => Err(Refusal::Unreadable(error.kind().to_string())),
    }
}
