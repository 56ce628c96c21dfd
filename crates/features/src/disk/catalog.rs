//! The two small JSON files of a store: `store.json` says what there is, `encoder.json` what one encoder is. Both count parts, so that a deleted one is missed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::part::entries;
use crate::disk::replaced_file::Recorded;
use crate::disk::sealed_json;
use crate::{EncoderSpec, Error, Shard};

pub(crate) const STORE_FILE: &str = "store.json";
pub(crate) const ENCODER_FILE: &str = "encoder.json";
pub(crate) const CLASSIFIER_FILE: &str = "classifier.safetensors";
pub(crate) const PLAN_FILE: &str = "plan";
pub(crate) const REJECTS_FILE: &str = "rejects.csv";
pub(crate) const ENCODERS: &str = "encoders";
pub(crate) const POSTS: &str = "posts";

/// What to do when the store's own file is damaged: nothing else says what belongs to it.
pub(crate) const RESTORE: &str = "restore it from a copy, or encode into a new store";

/// What to do when links are damaged.
pub(crate) const RELINK: &str = "delete the folder `posts` of the store and run `mmfnd encode` again: it links all posts anew and keeps the features";

/// `store.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Catalog {
    /// Names of the encoders, in the order in which they were added.
    pub(crate) encoders: Vec<String>,
    /// Parts of links that were written.
    pub(crate) link_parts: usize,
    /// The file of rejects.
    pub(crate) rejects: Recorded,
    /// Which part of the work it holds, where it is not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<Shard>,
}

impl Catalog {
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

    /// Changes the catalog of a store; nothing is written when nothing changes.
    pub(crate) fn update(store: &Path, change: impl FnOnce(&mut Self)) -> Result<(), Error> {
        let old = Self::read(store)?;
        let mut new = old.clone();
        change(&mut new);
        match new == old {
            true => Ok(()),
            false => new.write(store),
        }
    }
}

/// `encoder.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EncoderFile {
    /// The encoder.
    pub(crate) encoder: EncoderSpec,
    /// Parts that were written.
    pub(crate) parts: usize,
    /// The classification layer's file.
    pub(crate) classifier: Recorded,
}

impl EncoderFile {
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        sealed_json::read(&folder.join(ENCODER_FILE), &replace_remedy(folder))
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        sealed_json::write(&folder.join(ENCODER_FILE), self)
    }
}

/// What to do when a file of an encoder is damaged.
pub(crate) fn replace_remedy(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    format!("run `mmfnd encode … --replace {name}` to encode its features again")
}

/// The folder of an encoder.
pub(crate) fn encoder_folder(store: &Path, name: &str) -> PathBuf {
    store.join(ENCODERS).join(name)
}

/// Names of the encoders of a store: those of the catalog, then those that a killed run left without an entry.
pub(crate) fn encoder_names(store: &Path, catalog: &Catalog) -> Result<Vec<String>, Error> {
    let mut names = catalog.encoders.clone();
    let folder = store.join(ENCODERS);
    let paths = match entries(&folder) {
        Ok(paths) => paths,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(Error::read(folder, source)),
    };
    for path in paths.iter().filter(|path| path.join(ENCODER_FILE).exists()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !is_temporary(path) && !names.iter().any(|known| *known == name) {
            names.push(name.into_owned());
        }
    }
    Ok(names)
}

/// Whether a file or folder was left by a run that was killed.
pub(crate) fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') && name.ends_with(".tmp")
}
