//! `runs.jsonl`: a line per run that ended, appended and synced before the next one begins; what a kill tore off is cut
//! away.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use mmfnd_features::try_for_a_second;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::run::{BestTest, Selection};
use crate::scoring::metrics::Metrics;

/// Its name in the folder of the sweep.
pub(super) const RECORDS: &str = "runs.jsonl";

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// With its metrics.
    Finished,
    /// With an error; it is tried again when the sweep is started again.
    Failed,
}

/// A line of `runs.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its folder below `runs/`.
    pub run: String,
    /// Values of the axes.
    pub point: BTreeMap<String, serde_json::Value>,
    /// Its seed.
    pub seed: u64,
    /// How it ended.
    pub status: Status,
    /// Why it failed.
    pub error: Option<String>,
    /// Time it took, without what was done before an interruption.
    pub seconds: f64,
    /// The epoch that was chosen.
    pub selection: Option<Selection>,
    /// Groups of experts that have collapsed in that epoch, and where.
    #[serde(default)] // earlier versions did not say
    pub collapsed: Vec<String>,
    /// Of the validation posts, at that epoch.
    pub validation: Option<Metrics>,
    /// Of the test posts, at that epoch.
    pub test: Option<Metrics>,
    /// Of the test posts, at the epoch that is best on them: optimistic.
    pub best_test: Option<BestTest>,
}

impl RunRecord {
    /// Whether it ended with metrics.
    pub fn is_finished(&self) -> bool {
        self.status == Status::Finished
    }
}

/// The file, open and locked: one process writes at a time.
#[derive(Debug)]
pub(crate) struct RecordFile {
    path: PathBuf,
    file: File,
}

impl RecordFile {
    /// Opens it, making it if there is none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| write_error(path, source);
        let options = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path);
        let file = options.map_err(failed)?;
        try_for_a_second(&file).map_err(|error| match error {
            TryLockError::WouldBlock => Error::Run {
                path: path.to_owned(),
                problem: "is being written by another sweep; wait for it, or use another `--out`"
                    .into(),
            },
            TryLockError::Error(source) => failed(source),
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// The records that stand in it by run; the last one of a run counts.
    pub fn records(&mut self) -> Result<BTreeMap<String, RunRecord>, Error> {
        let text = self.complete_lines();
        parse(
            &self.path,
            &text.map_err(|source| write_error(&self.path, source))?,
        )
    }

    /// The text up to the last line that is complete; the rest is cut away.
    fn complete_lines(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut bytes)?;
        let end = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        if end < bytes.len() {
            bytes.truncate(end);
            self.file.set_len(end as u64)?;
        }
        String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Adds a line and waits until it is on the disk.
    pub fn append(&mut self, record: &RunRecord) -> Result<(), Error> {
        let line = serde_json::to_string(record).expect("plain values") + "\n";
        let written = self.file.write_all(line.as_bytes());
        let written = written.and_then(|()| self.file.sync_data());
        written.map_err(|source| write_error(&self.path, source))
    }
}

fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, RunRecord>, Error> {
    let mut records = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let record: RunRecord = serde_json::from_str(line).map_err(|error| Error::Run {
            path: path.to_owned(),
            problem: format!(
                "is damaged in line {}: {error}; delete the line, and its run is done again",
                index + 1
            ),
        })?;
        records.insert(record.run.clone(), record);
    }
    Ok(records)
}

fn write_error(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    Error::File(mmfnd_posts::Error::Write { path, source })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    fn record(run: &str, status: Status) -> RunRecord {
        RunRecord {
            run: run.into(),
            point: BTreeMap::new(),
            seed: 1,
            status,
            error: None,
            seconds: 0.5,
            selection: None,
            collapsed: Vec::new(),
            validation: None,
            test: None,
            best_test: None,
        }
    }

    #[test]
    fn a_torn_line_is_cut_away_and_the_next_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.jsonl");
        let mut file = RecordFile::open(&path).unwrap();
        assert!(file.records().unwrap().is_empty());
        file.append(&record("a", Status::Finished)).unwrap();
        file.append(&record("b", Status::Failed)).unwrap();
        drop(file);
        let whole = fs::read(&path).unwrap();
        for cut in 1..40 {
            fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let mut file = RecordFile::open(&path).unwrap();
            assert_eq!(file.records().unwrap().keys().collect::<Vec<_>>(), ["a"]);
            file.append(&record("b", Status::Failed)).unwrap();
            drop(file);
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn the_last_line_of_a_run_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.jsonl");
        let mut file = RecordFile::open(&path).unwrap();
        file.append(&record("a", Status::Failed)).unwrap();
        file.append(&record("a", Status::Finished)).unwrap();
        assert!(file.records().unwrap()["a"].is_finished());
    }

    #[test]
    fn a_damaged_line_is_named_and_a_second_writer_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.jsonl");
        fs::write(&path, "{}\n").unwrap();
        let error = RecordFile::open(&path)
            .unwrap()
            .records()
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 1"), "{error}");
        fs::write(&path, "").unwrap();
        let _first = RecordFile::open(&path).unwrap();
        let error = RecordFile::open(&path).unwrap_err().to_string();
        assert!(error.contains("another sweep"), "{error}");
    }
}
