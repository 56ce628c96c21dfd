//! Part files: numbered, named by the SHA-256 of their bytes, never changed once they are there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mmfnd_posts::atomic;
use mmfnd_posts::hash::sha256_hex;
use rayon::prelude::*;

use super::folder::entries_if_any;
use super::open_files::Opened;
use crate::Error;

/// Digits of the hash that stand in the name.
const HASH_DIGITS: usize = 16;

/// One part, `NNNNNN-<hash>.parquet`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub(crate) number: usize,
    pub(crate) path: PathBuf,
    hash: String,
}

impl Part {
    /// The part that has this path, if it is one.
    pub(crate) fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(".parquet")?;
        let (number, hash) = name.split_once('-')?;
        let hash = hash.to_owned();
        let number = number.parse().ok()?;
        let part = Self { number, path, hash };
        let is_canonical = part.path.file_name()?.to_str()? == part.name();
        is_canonical.then_some(part)
    }

    /// Its file name.
    pub(crate) fn name(&self) -> String {
        format!("{:06}-{}.parquet", self.number, self.hash)
    }

    /// Its bytes, if they are what was written.
    pub(crate) fn read(&self, remedy: &str) -> Result<Bytes, Error> {
        let mut bytes = Vec::new();
        self.read_into(&mut bytes, remedy)?;
        Ok(bytes.into())
    }

    /// [`Part::read`] into a buffer that is used again and again.
    pub(crate) fn read_into(&self, bytes: &mut Vec<u8>, remedy: &str) -> Result<(), Error> {
        bytes.clear();
        let opened = Opened::open(&self.path).map_err(|source| Error::read(&self.path, source))?;
        let mut file = &opened.file;
        let length = file
            .metadata()
            .map_or(0, |metadata| metadata.len() as usize);
        bytes.reserve_exact(length);
        file.read_to_end(bytes)
            .map_err(|source| Error::read(&self.path, source))?;
        if sha256_hex(bytes)[..HASH_DIGITS] == *self.hash {
            return Ok(());
        }
        let problem = "its bytes do not have the hash in its name";
        Err(self.damaged(problem.to_owned(), remedy))
    }

    /// Its size in bytes.
    pub(crate) fn bytes(&self) -> Result<u64, Error> {
        let metadata = fs::metadata(&self.path);
        let metadata = metadata.map_err(|source| Error::read(&self.path, source));
        metadata.map(|metadata| metadata.len())
    }

    pub(crate) fn damaged(&self, problem: String, remedy: &str) -> Error {
        Error::Damaged {
            path: self.path.clone(),
            problem,
            remedy: remedy.to_owned(),
        }
    }
}

/// The parts in a folder by their number; other files are left out, a folder that is not there has none.
pub(crate) fn list(folder: &Path) -> Result<Vec<Part>, Error> {
    let paths = entries_if_any(folder)?.into_iter();
    let mut parts: Vec<_> = paths.filter_map(Part::of).collect();
    parts.sort();
    Ok(parts)
}

/// What is wrong with the numbers of `parts`, of which at least `recorded` were written.
pub(crate) fn gap(parts: &[Part], recorded: Range<usize>) -> Option<String> {
    for (expected, part) in (recorded.start..).zip(parts) {
        if part.number > expected {
            return Some(format!("part {expected:06} is missing"));
        }
        if part.number < expected {
            return Some(format!("part {:06} is there twice", part.number));
        }
    }
    let Range { start, end } = recorded;
    let last = end.checked_sub(1)?;
    (start + parts.len() < end)
        .then(|| format!("of parts {start:06} to {last:06} the last are missing"))
}

/// [`list`] without the parts that do not count any more, complete or an error with `remedy`.
pub(crate) fn list_complete(
    folder: &Path,
    recorded: Range<usize>,
    remedy: &str,
) -> Result<Vec<Part>, Error> {
    let mut parts = list(folder)?;
    parts.retain(|part| part.number >= recorded.start);
    match gap(&parts, recorded) {
        None => Ok(parts),
        Some(problem) => Err(Error::Damaged {
            path: folder.to_owned(),
            problem,
            remedy: remedy.to_owned(),
        }),
    }
}

/// Whether each part has the bytes that were written.
pub(crate) fn check(parts: &[Part], remedy: &str) -> Result<(), Error> {
    let check = |buffer: &mut Vec<u8>, part: &Part| part.read_into(buffer, remedy);
    parts.par_iter().try_for_each_init(Vec::new, check)
}

/// Writes a part, whole or not at all.
pub(crate) fn write(folder: &Path, number: usize, bytes: &[u8]) -> Result<Part, Error> {
    let hash = sha256_hex(bytes)[..HASH_DIGITS].to_owned();
    let mut part = Part {
        number,
        path: PathBuf::new(),
        hash,
    };
    part.path = folder.join(part.name());
    atomic::write(&part.path, |file| file.write_all(bytes))?;
    Ok(part)
}

/// Takes a part of another store under a new number: as a second name of the same file where the file system can, as
/// parts are never changed, else as a copy.
///
/// The folder has to be synced afterwards.
pub(crate) fn take(folder: &Path, number: usize, part: &Part) -> Result<Part, Error> {
    let mut taken = Part {
        number,
        ..part.clone()
    };
    taken.path = folder.join(taken.name());
    if fs::hard_link(&part.path, &taken.path).is_err() {
        let mut from = File::open(&part.path).map_err(|source| Error::read(&part.path, source))?;
        atomic::write(&taken.path, |file| io::copy(&mut from, file).map(|_| ()))?;
    }
    Ok(taken)
}
