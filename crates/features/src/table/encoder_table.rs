//! The files of one encoder.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::layout::{self, Layout};
use crate::Error;
use crate::disk::encoder_file::{CLASSIFIER_FILE, EncoderFile, encoder_folder, replace_remedy};
use crate::disk::part::{self, Part};
use crate::identity::{Key, KeySet};

/// The files of one encoder.
#[derive(Debug)]
pub(crate) struct EncoderTable {
    pub(crate) folder: PathBuf,
    pub(crate) file: EncoderFile,
    pub(crate) parts: Vec<Part>,
}

impl EncoderTable {
    pub(crate) fn open(store: &Path, name: &str) -> Result<Self, Error> {
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
        match part::list_complete(&folder, file.numbers(), &remedy) {
            Ok(parts) => Ok(Self {
                folder,
                file,
                parts,
            }),
            // A writer joined parts after the file was read.
            Err(_) if EncoderFile::read(&folder)? != file => Self::open(store, name),
            Err(error) => Err(error),
        }
    }

    /// Layout and keys of one of its parts.
    pub(crate) fn layout(&self, part: &Part) -> Result<(Layout, Vec<Key>), Error> {
        layout::open(part, &self.file.encoder, &self.remedy())
    }

    /// Keys that have a row.
    pub(crate) fn keys(&self) -> Result<KeySet, Error> {
        let keys = |part: &Part| self.layout(part).map(|(_, keys)| keys);
        let keys: Vec<Vec<Key>> = self.parts.par_iter().map(keys).collect::<Result<_, _>>()?;
        Ok(keys.concat().into())
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
