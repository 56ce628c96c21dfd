//! The read side of a store: what there was when it was opened. Readers need no lock, as parts are never changed.

use std::path::{Path, PathBuf};

use mmfnd_posts::Post;

use crate::disk::catalog::{
    CLASSIFIER_FILE, Catalog, EncoderFile, POSTS, RELINK, encoder_folder, encoder_names,
    replace_remedy,
};
use crate::disk::part::{self, Part};
use crate::identity::key::sha256_hex;
use crate::report::export::{Exported, export};
use crate::report::inspect::{Inspection, inspect};
use crate::report::verify::{Verified, verify};
use crate::table::layout::{self, Layout};
use crate::{EncoderSpec, Error, Key, Shard};

/// A store that is read.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    specs: Vec<EncoderSpec>,
    tables: Vec<Table>,
    links: Vec<Part>,
    shard: Option<Shard>,
}

/// The files of one encoder.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) folder: PathBuf,
    pub(crate) file: EncoderFile,
    pub(crate) parts: Vec<Part>,
}

impl Store {
    /// Opens a store.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let catalog = Catalog::read(path)?;
        let names = encoder_names(path, &catalog)?;
        let tables = names.iter().map(|name| Table::open(path, name));
        let tables = tables.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            path: path.to_owned(),
            specs: tables
                .iter()
                .map(|table| table.file.encoder.clone())
                .collect(),
            tables,
            links: part::list_complete(&path.join(POSTS), catalog.link_parts, RELINK)?,
            shard: catalog.shard,
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
            lines.push(format!("encoder {spec:?}"));
            let parts = table.parts.iter();
            lines.extend(parts.map(|part| format!("{} {}", spec.name, part.name())));
        }
        lines.sort();
        sha256_hex(lines.join("\n").as_bytes())
    }

    /// Reads every byte and compares it with what was written.
    pub fn verify(&self) -> Result<Verified, Error> {
        verify(&self.path)
    }

    /// What the store holds, counted.
    pub fn inspect(&self) -> Result<Inspection, Error> {
        inspect(self)
    }

    /// Writes one Parquet file with a row per post and a column per encoder, for people who work with data frames.
    pub fn export(&self, posts: &[Post], out: &Path) -> Result<Exported, Error> {
        export(self, posts, out)
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

    pub(crate) fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Parts of links, oldest first.
    pub(crate) fn links(&self) -> &[Part] {
        &self.links
    }

    /// The table of an encoder.
    pub(crate) fn table(&self, name: &str) -> Result<&Table, Error> {
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

impl Table {
    fn open(store: &Path, name: &str) -> Result<Self, Error> {
        let folder = encoder_folder(store, name);
        let file = EncoderFile::read(&folder)?;
        let remedy = replace_remedy(&folder);
        let problem = file.encoder.problem();
        let problem =
            problem.or((file.encoder.name != name).then_some("its folder has another name"));
        if let Some(problem) = problem {
            return Err(Error::Damaged {
                path: folder,
                problem: problem.to_owned(),
                remedy,
            });
        }
        let parts = part::list_complete(&folder, file.parts, &remedy)?;
        Ok(Self {
            folder,
            file,
            parts,
        })
    }

    /// Layout and keys of one of its parts.
    pub(crate) fn layout(&self, part: &Part) -> Result<(Layout, Vec<Key>), Error> {
        let opened = layout::open(part, &self.file.encoder);
        opened.map_err(|problem| part.damaged(problem, &self.remedy()))
    }

    /// Whether each part has the bytes that were written.
    pub(crate) fn check_parts(&self) -> Result<(), Error> {
        part::check(&self.parts, &self.remedy())
    }

    /// What to do when one of its files is damaged.
    pub(crate) fn remedy(&self) -> String {
        replace_remedy(&self.folder)
    }

    /// The classification layer, where the encoder has one.
    pub(crate) fn classifier(&self) -> Result<Option<PathBuf>, Error> {
        if self.file.encoder.classifier_sha256.is_none() {
            return Ok(None);
        }
        let path = self.folder.join(CLASSIFIER_FILE);
        let problem = match path.exists() {
            true => self.file.classifier.problem(&path)?,
            false => Some("it is missing"),
        };
        let Some(problem) = problem else {
            return Ok(Some(path));
        };
        Err(Error::Damaged {
            path,
            problem: problem.to_owned(),
            remedy: "run `mmfnd encode` again: it copies it anew".to_owned(),
        })
    }
}
