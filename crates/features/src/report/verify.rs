//! Reads every byte of a store and compares it with what was written: any flipped bit, any missing, cut or foreign
//! file.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::path::as_text;

use crate::Error;
use crate::disk::encoder_file::{
    CLASSIFIER_FILE, ENCODER_FILE, ENCODERS, EncoderFile, encoder_folder, replace_remedy,
};
use crate::disk::folder::{entries, is_temporary};
use crate::disk::lock::LOCK;
use crate::disk::part::{Part, gap, list};
use crate::disk::replaced_file::Checksums;
use crate::disk::store_file::{POSTS, REJECTS_FILE, RELINK, STORE_FILE, StoreFile};
use crate::identity::EncoderSpec;
use crate::links::link_part;
use crate::read::Store;
use crate::table::layout::Layout;
use crate::table::plan::{self, PLAN_FILE};

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verified {
    /// Files that were read.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong; nothing in a sound store.
    pub problems: Vec<Problem>,
    /// What is worth knowing and is not wrong, such as an unfinished run.
    pub notes: Vec<String>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Problem {
    /// The file or folder.
    #[serde(serialize_with = "as_text")]
    pub file: PathBuf,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// Verifies the store in a folder, also one that is too damaged to be opened.
///
/// An error is returned only when there is no store or a file cannot be read; damage is in [`Verified::problems`].
pub fn verify(store: &Path) -> Result<Verified, Error> {
    let mut report = Verified::default();
    report.count(&store.join(STORE_FILE));
    let contents = match StoreFile::read(store) {
        Ok(contents) => contents,
        Err(error) => {
            report.take(error)?;
            return Ok(report);
        }
    };
    report.root(store, &contents)?;
    report.links(&store.join(POSTS), 0..contents.link_parts)?;
    for name in contents.encoder_names(store)? {
        report.encoder(&encoder_folder(store, &name), &name)?;
    }
    Ok(report)
}

impl Store {
    /// Reads every byte and compares it with what was written.
    pub fn verify(&self) -> Result<Verified, Error> {
        verify(self.path())
    }
}

impl Verified {
    fn problem(&mut self, file: &Path, problem: impl Into<String>) {
        self.problems.push(Problem {
            file: file.to_owned(),
            problem: problem.into(),
        });
    }

    /// Takes damage into the report and hands other errors on.
    fn take(&mut self, error: Error) -> Result<(), Error> {
        match error {
            Error::Damaged {
                path,
                problem,
                remedy,
            } => self.problem(&path, format!("{problem}; {remedy}")),
            Error::NewerFormat { ref path, .. } | Error::OlderFormat { ref path, .. } => {
                self.problem(path, error.to_string())
            }
            other => return Err(other),
        }
        Ok(())
    }

    fn count(&mut self, file: &Path) {
        if let Ok(metadata) = fs::metadata(file) {
            self.files += 1;
            self.bytes += metadata.len();
        }
    }

    fn root(&mut self, store: &Path, contents: &StoreFile) -> Result<(), Error> {
        let known = [STORE_FILE, LOCK, REJECTS_FILE, ENCODERS, POSTS];
        self.foreign(store, |path| known.iter().any(|name| path.ends_with(name)))?;
        self.checksums(&store.join(REJECTS_FILE), &contents.rejects)?;
        let lock = store.join(LOCK);
        self.count(&lock);
        let is_empty = |metadata: fs::Metadata| metadata.is_file() && metadata.len() == 0;
        if fs::metadata(&lock).is_ok_and(|metadata| !is_empty(metadata)) {
            self.problem(&lock, "it is not an empty file; delete it");
        }
        let encoders = store.join(ENCODERS);
        let names = contents.encoders.iter().map(|name| encoders.join(name));
        for folder in names.filter(|folder| !folder.is_dir()) {
            let remedy = replace_remedy(&folder);
            self.problem(&folder, format!("it is missing; {remedy}"));
        }
        match encoders.is_dir() {
            true => self.foreign(&encoders, |path| path.join(ENCODER_FILE).is_file()),
            false => Ok(()),
        }
    }

    /// Reports what does not belong into a folder.
    fn foreign(&mut self, folder: &Path, is_known: impl Fn(&Path) -> bool) -> Result<(), Error> {
        for path in entries(folder).map_err(|source| Error::read(folder, source))? {
            if is_temporary(&path) {
                let note =
                    "is half-written, by a run that goes on or was killed; the next one removes it";
                self.notes.push(format!("`{}` {note}", path.display()));
            } else if !is_known(&path) {
                self.problem(&path, "it does not belong to the store; move it elsewhere");
            }
        }
        Ok(())
    }

    fn checksums(&mut self, file: &Path, checksums: &Checksums) -> Result<(), Error> {
        self.count(file);
        if let Some(problem) = checksums.problem(file)? {
            self.problem(
                file,
                format!("{problem}; run `mmfnd encode` again: it writes it anew"),
            );
        }
        Ok(())
    }

    fn links(&mut self, folder: &Path, recorded: Range<usize>) -> Result<(), Error> {
        if folder.is_dir() {
            self.foreign(folder, |path| Part::of(path.to_owned()).is_some())?;
        }
        self.parts(folder, recorded, |part| {
            for batch in link_part::read(part)? {
                link_part::Rows::of(&batch).map_err(|error| link_part::damaged(part, &error))?;
            }
            Ok(())
        })
    }

    /// Once more where a writer joined parts meanwhile, since those that were to be read are gone then.
    fn encoder(&mut self, folder: &Path, name: &str) -> Result<(), Error> {
        let first = || EncoderFile::read(folder).map(|file| file.first).ok();
        loop {
            let before = first();
            let mut report = Self::default();
            let checked = report.check_encoder(folder, name);
            if first() == before {
                self.files += report.files;
                self.bytes += report.bytes;
                self.problems.extend(report.problems);
                self.notes.extend(report.notes);
                return checked;
            }
        }
    }

    fn check_encoder(&mut self, folder: &Path, name: &str) -> Result<(), Error> {
        if !folder.is_dir() {
            return Ok(());
        }
        let known = [ENCODER_FILE, CLASSIFIER_FILE, PLAN_FILE];
        self.foreign(folder, |path| {
            known.iter().any(|name| path.ends_with(name)) || Part::of(path.to_owned()).is_some()
        })?;
        self.count(&folder.join(ENCODER_FILE));
        let file = match read_encoder(folder, name) {
            Ok(file) => file,
            Err(error) => return self.take(error),
        };
        self.checksums(&folder.join(CLASSIFIER_FILE), &file.classifier)?;
        self.count(&folder.join(PLAN_FILE));
        match plan::read(folder) {
            Ok(plan) if plan.is_empty() => {}
            Ok(_) => self
                .notes
                .push(format!("`{name}` is unfinished; run `mmfnd encode` again")),
            Err(error) => self.take(error)?,
        }
        let remedy = replace_remedy(folder);
        self.parts(folder, file.numbers(), |part| {
            check_rows(part, &file.encoder, &remedy)
        })
    }

    /// Reads the parts in a folder.
    fn parts(
        &mut self,
        folder: &Path,
        recorded: Range<usize>,
        check: impl Fn(&Part) -> Result<(), Error> + Send + Sync,
    ) -> Result<(), Error> {
        let (parts, joined): (Vec<_>, Vec<_>) = list(folder)?
            .into_iter()
            .partition(|part| part.number >= recorded.start);
        self.notes.extend(joined.iter().map(|part| {
            let note = "was joined with others, by a run that goes on or was killed";
            format!("`{}` {note}; the next one removes it", part.path.display())
        }));
        if let Some(problem) = gap(&parts, recorded) {
            let remedy = match folder.ends_with(POSTS) {
                true => RELINK.to_owned(),
                false => replace_remedy(folder),
            };
            self.problem(folder, format!("{problem}; {remedy}"));
        }
        let checked: Vec<_> = parts.par_iter().map(check).collect();
        for (part, checked) in parts.iter().zip(checked) {
            self.count(&part.path);
            checked.or_else(|error| self.take(error))?;
        }
        Ok(())
    }
}

fn read_encoder(folder: &Path, name: &str) -> Result<EncoderFile, Error> {
    let file = EncoderFile::read(folder)?;
    match file.encoder.problem().is_none() && file.encoder.name == name {
        true => Ok(file),
        false => Err(Error::Damaged {
            path: folder.join(ENCODER_FILE),
            problem: "it is of another encoder".to_owned(),
            remedy: replace_remedy(folder),
        }),
    }
}

fn check_rows(part: &Part, spec: &EncoderSpec, remedy: &str) -> Result<(), Error> {
    let bytes = part.read(remedy)?;
    let layout = Layout::of(&bytes, spec);
    layout.map(drop).map_err(|fault| fault.of(part, remedy))
}
