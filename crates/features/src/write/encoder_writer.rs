//! The write side of one encoder's table.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mmfnd_posts::hash::sha256_hex;
use rayon::prelude::*;

use super::compact;
use crate::Error;
use crate::disk::encoder_file::{CLASSIFIER_FILE, EncoderFile, replace_remedy};
use crate::disk::folder::sync_folder;
use crate::disk::lock::Lock;
use crate::disk::part::{self, Part};
use crate::identity::{EncoderSpec, Key, KeySet, Machine, Maker};
use crate::table::part_bytes::Rows;
use crate::table::{EncoderTable, layout, part_bytes, plan};

/// Appends rows to one encoder's table, and keeps its plan.
#[derive(Debug)]
pub struct EncoderWriter {
    folder: PathBuf,
    file: EncoderFile,
    parts: Vec<Part>,
    present: KeySet,
    /// Who makes what is appended now; the encoder's first maker may have been another.
    maker: Maker,
    /// How many rows whom have, of those that were there when the table was opened.
    made_before: BTreeMap<Maker, usize>,
    _lock: Arc<Lock>,
}

impl EncoderWriter {
    pub(crate) fn open(folder: PathBuf, provider: &str, lock: Arc<Lock>) -> Result<Self, Error> {
        let file = EncoderFile::read(&folder)?;
        compact::remove_before(&folder, file.first)?;
        let remedy = replace_remedy(&folder);
        let parts = part::list_complete(&folder, file.numbers(), &remedy)?;
        let keys = |part: &Part| {
            let opened = layout::open(part, &file.encoder, &remedy);
            opened.map(|(layout, keys)| (layout.maker().clone(), keys))
        };
        let opened: Vec<_> = parts.par_iter().map(keys).collect::<Result<_, _>>()?;
        let mut made_before = BTreeMap::new();
        let mut keys = Vec::with_capacity(opened.len());
        for (maker, of_part) in opened {
            *made_before.entry(maker).or_default() += of_part.len();
            keys.push(of_part);
        }
        Ok(Self {
            present: keys.concat().into(),
            parts,
            maker: Maker {
                provider: provider.to_owned(),
                ..file.encoder.maker()
            },
            made_before,
            file,
            folder,
            _lock: lock,
        })
    }

    /// The encoder, as it is stored.
    pub fn spec(&self) -> &EncoderSpec {
        &self.file.encoder
    }

    /// Says what makes the rows that are appended from now on.
    pub fn set_machine(&mut self, machine: Machine) {
        self.maker.machine = Some(machine);
    }

    /// Who makes the rows that are appended now.
    pub fn maker(&self) -> &Maker {
        &self.maker
    }

    /// Who made rows that were there when the table was opened, and how many, where their last bits may be others than
    /// those of the present maker.
    pub fn other_makers(&self) -> impl Iterator<Item = (&Maker, usize)> {
        let all = self.made_before.iter().map(|(maker, &rows)| (maker, rows));
        all.filter(|(maker, _)| !maker.is_like(&self.maker))
    }

    /// Keys that have a row.
    pub fn present(&self) -> &KeySet {
        &self.present
    }

    /// Counts what the encoding of rows took; kept with those that are appended next.
    pub fn spent(&mut self, time: Duration) {
        self.file.seconds += time.as_secs_f64();
    }

    /// Appends rows as one part; when it returns they are on the disk.
    ///
    /// # Panics
    /// When `values` is not a row of the encoder's width for each key.
    pub fn append(&mut self, keys: &[Key], values: &[f32]) -> Result<(), Error> {
        self.append_ragged(keys, &[], values)
    }

    /// As [`EncoderWriter::append`], of a ragged encoder: `tokens` says how many each row has.
    ///
    /// # Panics
    /// When `values` is not so many tokens of the encoder's width.
    pub fn append_ragged(
        &mut self,
        keys: &[Key],
        tokens: &[u32],
        values: &[f32],
    ) -> Result<(), Error> {
        if keys.is_empty() {
            assert!(values.is_empty(), "a row for each key");
            return Ok(());
        }
        let rows = Rows {
            keys,
            tokens,
            values,
        };
        let bytes = part_bytes::to_bytes((self.spec(), &self.maker), rows)?;
        let part = part::write(&self.folder, self.next(), &bytes)?;
        let mut file = self.file.clone();
        file.parts = self.next() + 1;
        if let Err(error) = file.write(&self.folder) {
            // The store is to be as it was; should this fail too, the part is complete and does no harm.
            let _ = fs::remove_file(&part.path);
            return Err(error);
        }
        self.file = file;
        self.parts.push(part);
        self.present.extend(keys);
        Ok(())
    }

    /// Takes the parts of the same encoder in another store, as they are.
    pub(crate) fn take(&mut self, table: &EncoderTable) -> Result<(), Error> {
        for part in &table.parts {
            let (_, keys) = layout::open(part, self.spec(), &replace_remedy(&self.folder))?;
            let part = part::take(&self.folder, self.next(), part)?;
            self.parts.push(part);
            self.present.extend(&keys);
        }
        sync_folder(&self.folder)?;
        self.file.parts = self.next();
        self.file.seconds += table.file.seconds;
        self.file.write(&self.folder)
    }

    /// The batches that are planned; none when the last run was finished.
    pub fn plan(&self) -> Result<Vec<Vec<Key>>, Error> {
        plan::read(&self.folder)
    }

    /// Plans batches.
    pub fn set_plan(&mut self, batches: &[Vec<Key>]) -> Result<(), Error> {
        plan::write(&self.folder, batches)
    }

    /// Says that all that was planned is done; many small parts become few large ones.
    pub fn clear_plan(&mut self) -> Result<(), Error> {
        let next = self.next();
        if let Some(parts) = compact::compact(&self.folder, self.spec(), &self.parts, next)? {
            let mut file = self.file.clone();
            file.first = next;
            file.parts = next + parts.len();
            file.write(&self.folder)?;
            self.file = file;
            self.parts = parts;
            compact::remove_before(&self.folder, next)?;
        }
        plan::remove(&self.folder)
    }

    /// The number of the part that is written next.
    fn next(&self) -> usize {
        self.file.first + self.parts.len()
    }

    /// Whether a classification layer lies in the store, with the bytes that were written.
    pub fn has_classifier(&self) -> Result<bool, Error> {
        let path = self.folder.join(CLASSIFIER_FILE);
        Ok(path.exists() && self.file.classifier.problem(&path)?.is_none())
    }

    /// Copies the classification layer that comes with the features; the same one again changes nothing.
    pub fn set_classifier(&mut self, file: &Path) -> Result<(), Error> {
        let bytes = fs::read(file).map_err(|source| Error::read(file, source))?;
        self.set_classifier_bytes(&bytes)
    }

    /// As [`EncoderWriter::set_classifier`], of a file that was read.
    pub fn set_classifier_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(CLASSIFIER_FILE);
        let mut new = self.file.clone();
        new.encoder.classifier_sha256 = Some(sha256_hex(bytes));
        let mut checksums = new.classifier.clone();
        checksums.replace(&path, bytes, |checksums| {
            new.classifier = checksums.clone();
            new.write(&self.folder)
        })?;
        self.file = new;
        Ok(())
    }

    /// Whether each part has the bytes that were written.
    pub(crate) fn check_parts(&self) -> Result<(), Error> {
        part::check(&self.parts, &replace_remedy(&self.folder))
    }
}
