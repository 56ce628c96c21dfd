//! The read side of a store: what there was when it was opened. Readers need no lock, as parts are never changed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use mmfnd_posts::hash::sha256_hex;

use crate::Error;
use crate::disk::part::{self, Part};
use crate::disk::store_file::{POSTS, RELINK, StoreFile};
use crate::identity::{EncoderSpec, Key, KeySet, Shard};
use crate::links::{Links, linked_pictures};
use crate::table::EncoderTable;

/// A store that is read.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    specs: Vec<EncoderSpec>,
    tables: Vec<EncoderTable>,
    links: Vec<Part>,
    shard: Option<Shard>,
}

impl Store {
    /// Opens a store.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = StoreFile::read(path)?;
        let names = file.encoder_names(path)?;
        let tables = names.iter().map(|name| EncoderTable::open(path, name));
        let tables = tables.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            path: path.to_owned(),
            specs: tables
                .iter()
                .map(|table| table.file.encoder.clone())
                .collect(),
            tables,
            links: part::list_complete(&path.join(POSTS), 0..file.link_parts, RELINK)?,
            shard: file.shard,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which part of the work it holds, where it is not the whole.
    pub fn shard(&self) -> Option<Shard> {
        self.shard
    }

    /// The encoders whose features it holds, in the order in which they were added.
    pub fn encoders(&self) -> &[EncoderSpec] {
        &self.specs
    }

    /// A hash of the contents: of the encoders and of the names of all parts, which are hashes of their bytes.
    pub fn fingerprint(&self) -> String {
        let mut lines: Vec<_> = self
            .links
            .iter()
            .map(|part| format!("posts {}", part.name()))
            .collect();
        for table in &self.tables {
            let spec = &table.file.encoder;
            // as before there were ragged rows, so that a store keeps its fingerprint
            lines.push(format!("encoder {spec:?}").replace(", ragged: false", ""));
            let parts = table.parts.iter();
            lines.extend(parts.map(|part| format!("{} {}", spec.name, part.name())));
        }
        lines.sort();
        sha256_hex(lines.join("\n").as_bytes())
    }

    /// Whether the stored features come from this encoder; otherwise an error that names both.
    pub fn require_same(&self, offered: &EncoderSpec) -> Result<(), Error> {
        let stored = &self.table(&offered.name)?.file.encoder;
        match stored.is_same_encoder(offered) {
            true => Ok(()),
            false => Err(Error::OtherEncoder {
                store: self.path.clone(),
                name: offered.name.clone(),
                stored: stored.identity(),
                offered: offered.identity(),
            }),
        }
    }

    /// Keys that have a row of an encoder.
    pub fn keys(&self, encoder: &str) -> Result<KeySet, Error> {
        self.table(encoder)?.keys()
    }

    /// What is linked.
    pub fn linked(&self) -> Result<Links, Error> {
        Links::read(&self.links)
    }

    /// The pictures that posts were ever linked to.
    pub fn linked_pictures(&self) -> Result<HashSet<Key>, Error> {
        linked_pictures(&self.links)
    }

    /// The file of the classification layer that comes with an encoder's features, where there is one; an error where
    /// it is not what was written.
    pub fn classifier(&self, encoder: &str) -> Result<Option<PathBuf>, Error> {
        self.table(encoder)?.classifier()
    }

    pub(crate) fn tables(&self) -> &[EncoderTable] {
        &self.tables
    }

    /// Parts of links, oldest first.
    pub(crate) fn links(&self) -> &[Part] {
        &self.links
    }

    /// The table of an encoder.
    pub(crate) fn table(&self, name: &str) -> Result<&EncoderTable, Error> {
        let table = self
            .tables
            .iter()
            .find(|table| table.file.encoder.name == name);
        table.ok_or_else(|| {
            let names: Vec<_> = self
                .specs
                .iter()
                .map(|spec| format!("`{}`", spec.name))
                .collect();
            Error::NoEncoder {
                store: self.path.clone(),
                name: name.to_owned(),
                found: match names.is_empty() {
                    true => "it has none".to_owned(),
                    false => format!("it has {}", names.join(", ")),
                },
            }
        })
    }
}
