//! Files and folders that are imported.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::lines::without_bom;
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

/// The bytes of a file that must exist and hold something.
pub(super) fn read_file(path: &Path, expected: &str) -> Result<Vec<u8>, Error> {
    let data = fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing {
            path: path.to_owned(),
            expected: expected.to_owned(),
        },
        _ => Error::Read {
            path: path.to_owned(),
            source,
        },
    })?;
    if without_bom(&data).trim_ascii().is_empty() {
        return Err(Error::Empty {
            path: path.to_owned(),
            expected: expected.to_owned(),
        });
    }
    Ok(data)
}
