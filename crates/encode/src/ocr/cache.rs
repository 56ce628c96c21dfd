//! What was read from which picture, kept across runs: one JSON object a line, appended the moment a picture is read.
//!
//! A kill can cut the last line only; it is taken away when the file is opened the next time.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mmfnd_features::{Key, try_for_a_second};
use serde::{Deserialize, Serialize};

use super::error::OcrError;

/// A line of the file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Key of the picture's file, 32 hexadecimal digits.
    picture: String,
    /// All else that decides what is read.
    recipe: String,
    text: String,
}

/// The cache of one recipe. The file is locked as long as this lives.
pub(super) struct Cache {
    path: PathBuf,
    recipe: String,
    known: HashMap<String, String>,
    file: Mutex<File>,
}

impl Cache {
    /// Opens a cache, makes it if there is none, and mends a last line that was cut off.
    pub(super) fn open(path: &Path, recipe: String) -> Result<Self, OcrError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(OcrError::io(folder))?;
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true);
        let mut file = options.open(path).map_err(OcrError::io(path))?;
        match try_for_a_second(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OcrError::Locked(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(OcrError::io(path)(source)),
        }
        let bytes = read_whole_lines(&mut file).map_err(OcrError::io(path))?;
        let known = entries(path, &bytes, &recipe)?;
        Ok(Self {
            path: path.to_owned(),
            recipe,
            known,
            file: Mutex::new(file),
        })
    }

    /// Pictures that it knows.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// What was read from a picture in an earlier run.
    pub(super) fn get(&self, picture: Key) -> Option<&str> {
        self.known.get(&picture.to_string()).map(String::as_str)
    }

    /// Keeps what was read; it is on its way to the disk when this returns.
    pub(super) fn keep(&self, picture: Key, text: &str) -> Result<(), OcrError> {
        let entry = Entry {
            picture: picture.to_string(),
            recipe: self.recipe.clone(),
            text: text.to_owned(),
        };
        let mut line = serde_json::to_vec(&entry).expect("strings are always JSON");
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).map_err(OcrError::io(&self.path))
    }
}

/// The file up to its last line break; what is behind it is cut off.
fn read_whole_lines(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    let whole = whole.map_or(0, |position| position + 1);
    if whole < bytes.len() {
        file.set_len(whole as u64)?;
        bytes.truncate(whole);
    }
    Ok(bytes)
}

/// Picture to text, of one recipe.
fn entries(path: &Path, bytes: &[u8], recipe: &str) -> Result<HashMap<String, String>, OcrError> {
    let mut known = HashMap::new();
    let lines = bytes.split(|byte| *byte == b'\n');
    for (number, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        let entry: Entry = serde_json::from_slice(line).map_err(|error| OcrError::Damaged {
            path: path.to_owned(),
            line: number + 1,
            source: error.into(),
        })?;
        if entry.recipe == recipe {
            known.insert(entry.picture, entry.text);
        }
    }
    Ok(known)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn open(path: &Path, recipe: &str) -> Result<Cache, OcrError> {
        Cache::open(path, recipe.to_owned())
    }

    #[test]
    fn what_is_kept_is_found_again_under_the_same_recipe_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/ocr.jsonl");
        let (a, b) = (Key::of(b"a"), Key::of(b"b"));
        let cache = open(&path, "1").unwrap();
        cache.keep(a, "NOT \"RED\"\n").unwrap();
        cache.keep(b, "").unwrap();
        drop(cache);
        let again = open(&path, "1").unwrap();
        assert_eq!(again.get(a), Some("NOT \"RED\"\n"));
        assert_eq!(again.get(b), Some(""));
        assert_eq!(again.get(Key::of(b"c")), None);
        drop(again);
        assert_eq!(open(&path, "2").unwrap().get(a), None);
    }

    #[test]
    fn a_last_line_that_a_kill_cut_off_is_read_again_wherever_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ocr.jsonl");
        let (a, b) = (Key::of(b"a"), Key::of(b"b"));
        let cache = open(&path, "1").unwrap();
        cache.keep(a, "first").unwrap();
        let whole = fs::metadata(&path).unwrap().len() as usize;
        cache.keep(b, "second").unwrap();
        drop(cache);
        let bytes = fs::read(&path).unwrap();
        for end in whole..bytes.len() {
            fs::write(&path, &bytes[..end]).unwrap();
            let cache = open(&path, "1").unwrap();
            assert_eq!((cache.get(a), cache.get(b)), (Some("first"), None));
            cache.keep(b, "second").unwrap();
            drop(cache);
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn a_damaged_line_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ocr.jsonl");
        open(&path, "1").unwrap().keep(Key::of(b"a"), "x").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{{\"picture\"\n{text}")).unwrap();
        let Err(error) = open(&path, "1") else {
            panic!("line 2 is no entry");
        };
        let said = error.to_string();
        assert!(
            said.contains("line 2") && said.contains("delete the file"),
            "{said}"
        );
    }

    #[test]
    fn two_processes_do_not_share_a_cache() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ocr.jsonl");
        let first = open(&path, "1").unwrap();
        let Err(error) = open(&path, "1") else {
            panic!("it is locked");
        };
        assert!(error.to_string().contains("--cache"), "{error}");
        drop(first);
        open(&path, "1").unwrap();
    }
}
