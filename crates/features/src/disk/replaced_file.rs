//! Single files that are replaced: the checksums of what may be in them are written down before and after,
//! so that a kill in between leaves nothing in doubt.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use mmfnd_posts::atomic;
use mmfnd_posts::hash::sha256_hex;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The contents that a file may have, by their SHA-256; `None` is no file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checksums(Vec<Option<String>>);

impl Default for Checksums {
    fn default() -> Self {
        Self(vec![None])
    }
}

impl Checksums {
    /// What is wrong with the file, if anything.
    pub(crate) fn problem(&self, path: &Path) -> Result<Option<&'static str>, Error> {
        let found = hash_of(path)?;
        Ok(match found {
            hash if self.0.contains(&hash) => None,
            None => Some("it is missing"),
            Some(_) if self.0 == [None] => Some("it was not written by this program"),
            Some(_) => Some("its checksum does not match the recorded one"),
        })
    }

    /// Replaces the file; `save` writes the record.
    pub(crate) fn replace(
        &mut self,
        path: &Path,
        bytes: &[u8],
        mut save: impl FnMut(&Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let old = hash_of(path)?;
        let new = Some(sha256_hex(bytes));
        if old == new && self.0 == [new.clone()] {
            return Ok(());
        }
        if old != new {
            self.0 = vec![old, new.clone()];
            save(self)?;
            atomic::write(path, |file| file.write_all(bytes))?;
        }
        self.0 = vec![new];
        save(self)
    }
}

fn hash_of(path: &Path) -> Result<Option<String>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(sha256_hex(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::read(path, source)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A replacement that is killed before save number `kill_at`; returns what was saved last.
    fn killed(path: &Path, checksums: &Checksums, bytes: &[u8], kill_at: usize) -> Checksums {
        let mut saved = vec![checksums.clone()];
        let _ = checksums.clone().replace(path, bytes, |checksums| {
            if saved.len() == kill_at + 1 {
                return Err(Error::write(path, io::ErrorKind::Other.into()));
            }
            saved.push(checksums.clone());
            assert_eq!(checksums.problem(path)?, None);
            Ok(())
        });
        saved.pop().unwrap()
    }

    #[test]
    fn a_kill_at_any_step_leaves_a_record_that_fits() {
        for kill_at in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a");
            let mut checksums = Checksums::default();
            for bytes in [b"old", b"new"] {
                let left = killed(&path, &checksums, bytes, kill_at);
                assert_eq!(left.problem(&path).unwrap(), None, "killed at {kill_at}");
                checksums = killed(&path, &left, bytes, usize::MAX - 1);
                assert_eq!(checksums, Checksums(vec![Some(sha256_hex(bytes))]));
                assert_eq!(fs::read(&path).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn every_way_of_being_wrong_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut checksums = Checksums::default();
        assert_eq!(checksums.problem(&path).unwrap(), None);
        fs::write(&path, b"x").unwrap();
        assert!(
            checksums
                .problem(&path)
                .unwrap()
                .unwrap()
                .contains("not written")
        );
        checksums.replace(&path, b"y", |_| Ok(())).unwrap();
        fs::write(&path, b"z").unwrap();
        assert!(
            checksums
                .problem(&path)
                .unwrap()
                .unwrap()
                .contains("checksum")
        );
        fs::remove_file(&path).unwrap();
        assert!(
            checksums
                .problem(&path)
                .unwrap()
                .unwrap()
                .contains("missing")
        );
    }
}
