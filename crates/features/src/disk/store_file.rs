//! `store.json`: what belongs to a store. It counts the parts of links, so that a deleted one is missed.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::encoder_file::{ENCODER_FILE, ENCODERS};
use super::folder::{entries_if_any, is_temporary};
use super::replaced_file::Checksums;
use super::sealed_json;
use crate::Error;
use crate::identity::Shard;

pub(crate) const STORE_FILE: &str = "store.json";
pub(crate) const REJECTS_FILE: &str = "rejects.csv";

/// The folder of the parts of links.
pub(crate) const POSTS: &str = "posts";

/// What to do when the store's own file is damaged: nothing else says what belongs to it.
const RESTORE: &str = "restore it from a copy, or encode into a new store";

/// What to do when links are damaged.
pub(crate) const RELINK: &str = "delete the folder `posts` of the store and run `mmfnd encode` again: it links all posts \
     anew and keeps the features";

/// `store.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoreFile {
    /// Names of the encoders, in the order in which they were added.
    pub(crate) encoders: Vec<String>,
    /// Parts of links that were written.
    pub(crate) link_parts: usize,
    /// The file of rejects.
    pub(crate) rejects: Checksums,
    /// Which part of the work it holds, where it is not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<Shard>,
}

impl StoreFile {
    pub(crate) fn read(store: &Path) -> Result<Self, Error> {
        let path = store.join(STORE_FILE);
        if !path.exists() {
            let why = match store.is_dir() {
                true => format!("it has no `{STORE_FILE}`"),
                false => "there is no such folder".to_owned(),
            };
            let path = store.to_owned();
            return Err(Error::NotAStore { path, why });
        }
        sealed_json::read(&path, RESTORE)
    }

    pub(crate) fn write(&self, store: &Path) -> Result<(), Error> {
        sealed_json::write(&store.join(STORE_FILE), self)
    }

    /// Changes the file of a store; nothing is written when nothing changes.
    pub(crate) fn update(store: &Path, change: impl FnOnce(&mut Self)) -> Result<(), Error> {
        let old = Self::read(store)?;
        let mut new = old.clone();
        change(&mut new);
        match new == old {
            true => Ok(()),
            false => new.write(store),
        }
    }

    /// Names of the encoders of a store: those that are entered, then those that a killed run left without an entry.
    pub(crate) fn encoder_names(&self, store: &Path) -> Result<Vec<String>, Error> {
        let mut names = self.encoders.clone();
        let paths = entries_if_any(&store.join(ENCODERS))?;
        for path in paths.iter().filter(|path| path.join(ENCODER_FILE).exists()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !is_temporary(path) && !names.iter().any(|known| *known == name) {
                names.push(name.into_owned());
            }
        }
        Ok(names)
    }
}
