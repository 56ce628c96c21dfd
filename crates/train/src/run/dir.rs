//! The run directory: what stands in it, and who may write to it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use mmfnd_features::try_for_a_second;
use mmfnd_posts::atomic;
use serde::Serialize;

use super::final_metrics::RunMetrics;
use super::info::RunInfo;
use crate::Error;
use crate::config::Config;
use crate::fitting::EpochReport;
use crate::weights::file;

const CONFIG: &str = "config.toml";
const RUN: &str = "run.json";
const EPOCHS: &str = "metrics.jsonl";
const METRICS: &str = "metrics.json";
const PREDICTIONS: &str = "predictions.parquet";
const WEIGHTS: &str = "weights.safetensors";
const REJECTS: &str = "rejects.csv";
const CHECKPOINT: &str = "checkpoint";
/// What the classifier reads of each post, where it was asked for (`mmfnd predict --with-aggregate`).
const AGGREGATE: &str = "aggregate.parquet";
/// Event files, where they were asked for.
const TENSORBOARD: &str = "tensorboard";
/// Stays empty; who writes to the run has it locked.
const LOCK: &str = "lock";

/// Held while a run is written: nobody else writes to its folder.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

/// A run directory.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// One that is there.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let run = Self {
            path: path.to_owned(),
        };
        match run.path.join(RUN).is_file() {
            true => Ok(run),
            false => Err(run.problem("is no run directory: it has no `run.json`; name the folder that `mmfnd train --out` wrote")),
        }
    }

    /// One to write to, and its lock. What an earlier run left is refused, kept for resuming or removed, as the options
    /// say; a folder that is something else is refused.
    pub fn create(path: &Path, resume: bool, overwrite: bool) -> Result<(Self, RunLock), Error> {
        let run = Self {
            path: path.to_owned(),
        };
        run.refuse_anything_else()?;
        fs::create_dir_all(path).map_err(|source| run.write_error("", source))?;
        let lock = run.lock()?;
        if run.path.join(CONFIG).exists() || run.path.join(RUN).exists() {
            match (resume, overwrite) {
                (false, false) => {
                    return Err(run.problem(
                        "holds a run already; `--resume` continues it, `--overwrite` replaces it",
                    ));
                }
                (true, _) => {}
                (false, true) => run.clear()?,
            }
        }
        fs::create_dir_all(run.checkpoint())
            .map_err(|source| run.write_error(CHECKPOINT, source))?;
        Ok((run, lock))
    }

    /// A folder with files in it is taken for a run if `run.json` says so, or if nothing is in it but what a run begins
    /// with.
    fn refuse_anything_else(&self) -> Result<(), Error> {
        if !self.path.exists() || (self.has_info() && self.info().is_ok()) {
            return Ok(());
        }
        let failed = |source| mmfnd_posts::Error::Read {
            path: self.path.clone(),
            source,
        };
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let name = name.to_string_lossy();
            let is_ours = match &*name {
                LOCK => true,
                CONFIG => self.config().is_ok(),
                CHECKPOINT => self.is_checkpoint_ours(),
                // of a run whose `run.json` is damaged
                RUN | EPOCHS | METRICS | PREDICTIONS | WEIGHTS | REJECTS => {
                    self.has_info() && self.config().is_ok()
                }
                other => other.starts_with('.') && other.ends_with(".tmp"),
            };
            if !is_ours {
                return Err(self.problem(&format!(
                    "is no run directory, and not empty: it has `{name}`; use another `--out`"
                )));
            }
        }
        Ok(())
    }

    fn is_checkpoint_ours(&self) -> bool {
        let names = fs::read_dir(self.checkpoint()).into_iter().flatten();
        let names = names.flatten().map(|entry| entry.file_name());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .all(|name| {
                let is_weights = name.starts_with("best-") || name.starts_with("last");
                is_weights && name.ends_with(".safetensors") || name.ends_with(".tmp")
            })
    }

    /// The lock is the operating system's and goes with its process, however that ends.
    fn lock(&self) -> Result<RunLock, Error> {
        let path = self.path.join(LOCK);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = options.open(&path);
        let file = file.map_err(|source| self.write_error(LOCK, source))?;
        match try_for_a_second(&file) {
            Ok(()) => Ok(RunLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(self.problem(
                "is being written by another training; wait for it, or use another `--out`",
            )),
            Err(TryLockError::Error(source)) => Err(self.write_error(LOCK, source)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Folder of checkpoints, while the run is unfinished.
    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.path.join(CHECKPOINT)
    }

    /// The weights of the best epoch.
    pub fn weights(&self) -> PathBuf {
        self.path.join(WEIGHTS)
    }

    /// The predictions.
    pub fn predictions(&self) -> PathBuf {
        self.path.join(PREDICTIONS)
    }

    /// Where what the classifier reads of each post is kept.
    pub fn aggregate(&self) -> PathBuf {
        self.path.join(AGGREGATE)
    }

    /// The folder of event files.
    pub fn tensorboard(&self) -> PathBuf {
        self.path.join(TENSORBOARD)
    }

    /// How many numbers were trained or could have been: running statistics are not among them.
    pub fn weight_count(&self) -> Result<usize, Error> {
        let (weights, _) = file::read(&self.weights())?;
        let weights = weights.iter();
        let own = weights.filter(|(name, _)| !name.contains("running_"));
        Ok(own.map(|(_, weight)| weight.values.len()).sum())
    }

    pub(crate) fn rejects(&self) -> PathBuf {
        self.path.join(REJECTS)
    }

    /// Whether the run came to its end: its metrics are written last.
    pub fn is_finished(&self) -> bool {
        self.path.join(METRICS).is_file()
    }

    /// Whether an earlier attempt began: this is written after the configuration.
    pub(crate) fn has_info(&self) -> bool {
        self.path.join(RUN).is_file()
    }

    /// The configuration of the run.
    pub fn config(&self) -> Result<Config, Error> {
        let path = self.path.join(CONFIG);
        Config::parse(&self.read(CONFIG)?, &format!("`{}`", path.display()))
    }

    /// Where the run comes from.
    pub fn info(&self) -> Result<RunInfo, Error> {
        self.parse(RUN, &self.read(RUN)?)
    }

    /// The final metrics.
    pub fn metrics(&self) -> Result<RunMetrics, Error> {
        if !self.is_finished() {
            return Err(self.problem(
                "is not finished: it has no `metrics.json`; `mmfnd train --resume` ends it",
            ));
        }
        self.parse(METRICS, &self.read(METRICS)?)
    }

    /// The reports of the epochs so far.
    pub fn epochs(&self) -> Result<Vec<EpochReport>, Error> {
        if !self.path.join(EPOCHS).exists() {
            return Ok(Vec::new());
        }
        let text = self.read(EPOCHS)?;
        text.lines().map(|line| self.parse(EPOCHS, line)).collect()
    }

    pub(crate) fn write_config(&self, config: &Config) -> Result<(), Error> {
        self.write(CONFIG, config.to_toml().as_bytes())
    }

    pub(crate) fn write_info(&self, info: &RunInfo) -> Result<(), Error> {
        self.write(RUN, &json(info))
    }

    pub(crate) fn write_metrics(&self, metrics: &RunMetrics) -> Result<(), Error> {
        self.write(METRICS, &json(metrics))
    }

    pub(crate) fn write_epochs(&self, epochs: &[EpochReport]) -> Result<(), Error> {
        let line = |epoch| serde_json::to_string(epoch).expect("plain values") + "\n";
        let lines: String = epochs.iter().map(line).collect();
        self.write(EPOCHS, lines.as_bytes())
    }

    pub(crate) fn remove_checkpoint(&self) -> Result<(), Error> {
        let failed = |source| self.write_error(CHECKPOINT, source);
        fs::remove_dir_all(self.checkpoint()).map_err(failed)
    }

    /// A problem with the whole directory.
    pub(crate) fn problem(&self, problem: &str) -> Error {
        Error::Run {
            path: self.path.clone(),
            problem: problem.to_owned(),
        }
    }

    fn read(&self, name: &str) -> Result<String, Error> {
        let path = self.path.join(name);
        let failed = |source| mmfnd_posts::Error::Read {
            path: path.clone(),
            source,
        };
        Ok(fs::read_to_string(&path).map_err(failed)?)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        Ok(atomic::write(&self.path.join(name), |file| {
            file.write_all(bytes)
        })?)
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, name: &str, text: &str) -> Result<T, Error> {
        serde_json::from_str(text).map_err(|error| Error::Run {
            path: self.path.join(name),
            problem: format!("is damaged: {error}; train it again with `--overwrite`"),
        })
    }

    /// Removes the files of a run and nothing else.
    fn clear(&self) -> Result<(), Error> {
        let own = [
            METRICS,
            WEIGHTS,
            PREDICTIONS,
            AGGREGATE,
            REJECTS,
            EPOCHS,
            CONFIG,
            RUN,
        ];
        for name in own {
            let path = self.path.join(name);
            if path.exists() {
                fs::remove_file(&path).map_err(|source| self.write_error(name, source))?;
            }
        }
        if self.checkpoint().exists() {
            self.remove_checkpoint()?;
        }
        Ok(())
    }

    fn write_error(&self, name: &str, source: std::io::Error) -> Error {
        let path = match name {
            "" => self.path.clone(),
            name => self.path.join(name),
        };
        Error::File(mmfnd_posts::Error::Write { path, source })
    }
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("plain values");
    bytes.push(b'\n');
    bytes
}
