//! The plan of an unfinished encoder: its batches in order, so that a resumed run forms the same ones and ends with
//! the same bits.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use mmfnd_posts::atomic;
use mmfnd_posts::hash::{sha256_hex, to_hex};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::identity::Key;

pub(crate) const PLAN_FILE: &str = "plan";

/// Opens the first line; the SHA-256 of all other lines follows.
const HEAD: &str = "mmfnd plan 1 ";

/// Reads the plan in an encoder's folder; no plan is an empty one.
pub(crate) fn read(folder: &Path) -> Result<Vec<Vec<Key>>, Error> {
    let path = folder.join(PLAN_FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::read(path, source)),
    };
    parse(&bytes).ok_or_else(|| Error::Damaged {
        path,
        problem: "its checksum does not match".to_owned(),
        remedy: "delete it and run `mmfnd encode` again: what is missing is planned anew"
            .to_owned(),
    })
}

fn parse(bytes: &[u8]) -> Option<Vec<Vec<Key>>> {
    let (head, body) = str::from_utf8(bytes).ok()?.split_once('\n')?;
    if head.strip_prefix(HEAD)? != sha256_hex(body.as_bytes()) {
        return None;
    }
    let batch = |line: &str| line.split(' ').map(Key::from_hex).collect();
    body.lines().map(batch).collect()
}

/// Writes the plan, whole or not at all.
pub(crate) fn write(folder: &Path, batches: &[Vec<Key>]) -> Result<(), Error> {
    let batches = || batches.iter().filter(|batch| !batch.is_empty());
    let mut hash = Sha256::new();
    batches().for_each(|batch| hash.update(line(batch)));
    let head = to_hex(&hash.finalize());
    atomic::write(&folder.join(PLAN_FILE), |file| {
        writeln!(file, "{HEAD}{head}")?;
        batches().try_for_each(|batch| file.write_all(line(batch).as_bytes()))
    })?;
    Ok(())
}

fn line(batch: &[Key]) -> String {
    let keys: Vec<_> = batch.iter().map(Key::to_string).collect();
    keys.join(" ") + "\n"
}

/// Removes the plan.
pub(crate) fn remove(folder: &Path) -> Result<(), Error> {
    let path = folder.join(PLAN_FILE);
    match fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::write(path, source)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> Vec<Key> {
        names.iter().map(|name| Key::of(name.as_bytes())).collect()
    }

    #[test]
    fn a_plan_reads_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap().is_empty());
        let plan = vec![keys(&["a", "b"]), keys(&["c"])];
        write(folder.path(), &plan).unwrap();
        assert_eq!(read(folder.path()).unwrap(), plan);
        remove(folder.path()).unwrap();
        remove(folder.path()).unwrap();
        assert!(read(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn a_changed_plan_is_named_with_its_remedy() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[keys(&["a"])]).unwrap();
        let path = folder.path().join(PLAN_FILE);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.trim_end()).unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("plan") && error.contains("delete it"),
            "{error}"
        );
    }
}
