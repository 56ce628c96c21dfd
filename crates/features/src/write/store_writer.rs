//! The write side of a store. It holds the lock, and every step leaves a store that can be read and completed.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::encoder_writer::EncoderWriter;
use crate::Error;
use crate::disk::encoder_file::{ENCODERS, EncoderFile, encoder_folder};
use crate::disk::folder::{entries, is_temporary, make_folder, rename, sync_folder};
use crate::disk::lock::{LOCK, Lock};
use crate::disk::part::{self, Part};
use crate::disk::replaced_file::Checksums;
use crate::disk::store_file::{POSTS, REJECTS_FILE, RELINK, STORE_FILE, StoreFile};
use crate::identity::{EncoderSpec, Key, Shard};
use crate::links::rejects::{StoreReject, to_csv};
use crate::links::{Link, Links, link_part, linked_pictures};

/// Writes to a store; there is one at a time.
#[derive(Debug)]
pub struct StoreWriter {
    path: PathBuf,
    lock: Arc<Lock>,
}

impl StoreWriter {
    /// Opens a store for writing, making it when there is none; what a killed run left half-written is removed.
    pub fn open(path: &Path) -> Result<Self, Error> {
        check_folder(path)?;
        fs::create_dir_all(path).map_err(|source| Error::write(path, source))?;
        let lock = Arc::new(Lock::take(path)?);
        remove_temporaries(path)?;
        if !path.join(STORE_FILE).exists() {
            StoreFile::default().write(path)?;
        }
        make_folder(&path.join(ENCODERS))?;
        adopt(path)?;
        let path = path.to_owned();
        Ok(Self { path, lock })
    }

    /// The folder of the store.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says which part of the work is written (`None` for all of it): a store without contents becomes that, and
    /// another one has to be it.
    pub fn set_shard(&mut self, shard: Option<Shard>) -> Result<(), Error> {
        let file = StoreFile::read(&self.path)?;
        if file.shard == shard {
            return Ok(());
        }
        if file.encoders.is_empty() && file.link_parts == 0 {
            return StoreFile::update(&self.path, |file| file.shard = shard);
        }
        let problem = match (file.shard, shard) {
            (Some(holds), _) => format!(
                "holds shard {holds}; go on with `--shard {holds}`, or use another `--store`"
            ),
            (None, _) => "holds all of its posts and is no shard; leave out `--shard`, or use another `--store`".to_owned(),
        };
        Err(Error::unfit(&self.path, problem))
    }

    /// Opens an encoder's table, making it when there is none. With `replace`, a table of another encoder, or one that
    /// is damaged, is dropped.
    pub fn encoder(&mut self, spec: &EncoderSpec, replace: bool) -> Result<EncoderWriter, Error> {
        if let Some(problem) = spec.problem() {
            let name = spec.name.clone();
            return Err(Error::Encoder { name, problem });
        }
        let folder = encoder_folder(&self.path, &spec.name);
        if folder.exists() {
            match self.existing(&folder, spec, replace) {
                Ok(writer) => return Ok(writer),
                Err(error) if !replace => return Err(error),
                Err(_) => self.drop_encoder(&folder, &spec.name)?,
            }
        }
        self.make_encoder(&folder, spec)?;
        EncoderWriter::open(folder, &spec.provider, self.lock.clone())
    }

    fn existing(
        &self,
        folder: &Path,
        spec: &EncoderSpec,
        replace: bool,
    ) -> Result<EncoderWriter, Error> {
        let stored = EncoderFile::read(folder)?.encoder;
        if !stored.is_same_encoder(spec) {
            return Err(Error::OtherEncoder {
                store: self.path.clone(),
                name: spec.name.clone(),
                stored: stored.identity(),
                offered: spec.identity(),
            });
        }
        let writer = EncoderWriter::open(folder.to_owned(), &spec.provider, self.lock.clone())?;
        if replace {
            writer.check_parts()?;
        }
        Ok(writer)
    }

    fn drop_encoder(&self, folder: &Path, name: &str) -> Result<(), Error> {
        StoreFile::update(&self.path, |file| {
            file.encoders.retain(|known| known != name);
        })?;
        let dropped = folder.with_file_name(format!(".{name}.dropped.tmp"));
        rename(folder, &dropped)?;
        fs::remove_dir_all(&dropped).map_err(|source| Error::write(dropped, source))
    }

    fn make_encoder(&self, folder: &Path, spec: &EncoderSpec) -> Result<(), Error> {
        let new = folder.with_file_name(format!(".{}.new.tmp", spec.name));
        make_folder(&new)?;
        let file = EncoderFile {
            encoder: spec.clone(),
            first: 0,
            parts: 0,
            seconds: 0.0,
            classifier: Checksums::default(),
        };
        file.write(&new)?;
        rename(&new, folder)?;
        StoreFile::update(&self.path, |file| {
            file.encoders.retain(|known| *known != spec.name); // listed still where its folder was deleted
            file.encoders.push(spec.name.clone());
        })
    }

    /// What is linked already.
    pub fn links(&self) -> Result<Links, Error> {
        Links::read(&self.link_parts()?)
    }

    /// The pictures that posts were ever linked to.
    pub fn linked_pictures(&self) -> Result<HashSet<Key>, Error> {
        linked_pictures(&self.link_parts()?)
    }

    fn link_parts(&self) -> Result<Vec<Part>, Error> {
        let recorded = StoreFile::read(&self.path)?.link_parts;
        part::list_complete(&self.path.join(POSTS), 0..recorded, RELINK)
    }

    /// Appends links; of several of one post the newest counts.
    pub fn write_links(&mut self, links: &[Link]) -> Result<(), Error> {
        if links.is_empty() {
            return Ok(());
        }
        let folder = self.path.join(POSTS);
        make_folder(&folder)?;
        let number = self.link_parts()?.len();
        let bytes = link_part::to_bytes(links).map_err(io::Error::other);
        let bytes = bytes.map_err(|source| Error::write(&folder, source))?;
        part::write(&folder, number, &bytes)?;
        StoreFile::update(&self.path, |file| file.link_parts = number + 1)
    }

    /// Takes parts of links of other stores, as they are.
    pub(crate) fn take_links(&mut self, taken: &[Part]) -> Result<(), Error> {
        let folder = self.path.join(POSTS);
        make_folder(&folder)?;
        let first = self.link_parts()?.len();
        for (number, part) in taken.iter().enumerate() {
            part::take(&folder, first + number, part)?;
        }
        sync_folder(&folder)?;
        StoreFile::update(&self.path, |file| {
            file.link_parts = first + taken.len();
        })
    }

    /// Replaces the list of contents that could not be encoded.
    pub fn write_rejects(&self, rejects: &[StoreReject]) -> Result<(), Error> {
        let path = self.path.join(REJECTS_FILE);
        let csv = to_csv(rejects).map_err(|source| Error::write(&path, source))?;
        let mut checksums = StoreFile::read(&self.path)?.rejects;
        checksums.replace(&path, &csv, |checksums| {
            StoreFile::update(&self.path, |file| file.rejects = checksums.clone())
        })
    }
}

/// A store, the beginning of one, or an empty or absent folder.
fn check_folder(path: &Path) -> Result<(), Error> {
    let not_a_store = |why: &str| Error::NotAStore {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    if !path.exists() || path.join(STORE_FILE).exists() {
        return Ok(());
    }
    if !path.is_dir() {
        return Err(not_a_store("it is a file"));
    }
    let entries = entries(path).map_err(|source| Error::read(path, source))?;
    let is_ours = |entry: &PathBuf| entry.ends_with(LOCK) || is_temporary(entry);
    // Another process may be making the store at this moment; the lock sorts that out.
    match entries.iter().all(is_ours) || path.join(STORE_FILE).exists() {
        true => Ok(()),
        false => Err(not_a_store("it has no `store.json` but other files")),
    }
}

/// Removes what was being written when a run was killed.
fn remove_temporaries(store: &Path) -> Result<(), Error> {
    let mut folders = vec![store.to_owned(), store.join(POSTS), store.join(ENCODERS)];
    folders.extend(subfolders(&store.join(ENCODERS)));
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let entries = entries(folder).map_err(|source| Error::read(folder, source))?;
        for path in entries.iter().filter(|path| is_temporary(path)) {
            let removed = match path.is_dir() {
                true => fs::remove_dir_all(path),
                false => fs::remove_file(path),
            };
            removed.map_err(|source| Error::write(path, source))?;
        }
    }
    Ok(())
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let paths = entries(folder).unwrap_or_default().into_iter();
    paths
        .filter(|path| path.is_dir() && !is_temporary(path))
        .collect()
}

/// Brings `store.json` up to date: encoders that a killed run made but did not enter, and a folder of links that was
/// deleted on purpose.
fn adopt(store: &Path) -> Result<(), Error> {
    let names = StoreFile::read(store)?.encoder_names(store)?;
    let has_links = store.join(POSTS).is_dir();
    StoreFile::update(store, |file| {
        file.encoders = names;
        if !has_links {
            file.link_parts = 0;
        }
    })
}
