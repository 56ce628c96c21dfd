//! The run directory: what stands in it, and who may write to it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use mmfnd_features::EncoderSpec;
use mmfnd_posts::{Split, atomic};
use serde::{Deserialize, Serialize};

use crate::config::{Config, Select};
use crate::heads::Sizes;
use crate::scoring::GateUse;
use crate::scoring::metrics::Metrics;
use crate::{Device, Error};

const CONFIG: &str = "config.toml";
const RUN: &str = "run.json";
const EPOCHS: &str = "metrics.jsonl";
const METRICS: &str = "metrics.json";
const PREDICTIONS: &str = "predictions.parquet";
const WEIGHTS: &str = "weights.safetensors";
const REJECTS: &str = "rejects.csv";
const CHECKPOINT: &str = "checkpoint";

/// What `run.json` says: where a run comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Of this file.
    pub format: u32,
    /// The program's version.
    pub version: String,
    /// The git commit that the program was built from, where it is known.
    pub commit: Option<String>,
    /// Seed of the run.
    pub seed: u64,
    /// Where it was computed.
    pub device: Device,
    /// Fingerprint of the store's contents.
    pub store: String,
    /// Hash over ids, splits, labels and pictures of the posts.
    pub posts: String,
    /// The encoders whose features were read.
    pub encoders: Vec<EncoderSpec>,
    /// Sizes of the features.
    pub sizes: Sizes,
    /// Whether BERT's features are of the text with that in the pictures; `None` for a head without BERT, and in runs of versions that did not record it.
    #[serde(default)]
    pub with_ocr: Option<bool>,
    /// Posts of each split, and how many were left out.
    pub counts: Counts,
    /// What was decided for the user.
    pub notes: Vec<String>,
}

/// Numbers of posts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Trained on.
    pub train: usize,
    /// Selected on.
    pub validation: usize,
    /// Reported.
    pub test: usize,
    /// Without a usable picture or, where it is needed, a label; listed in `rejects.csv`.
    pub left_out: usize,
}

/// What `metrics.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    /// How the epoch was chosen.
    pub selection: Selection,
    /// Of the training posts, at inference.
    pub train: Option<Metrics>,
    /// Of the validation posts, if there are any.
    pub validation: Option<Metrics>,
    /// Of the test posts, if there are any with a label.
    pub test: Option<Metrics>,
    /// Of the test posts at the epoch that is best on them, where they were looked at after each epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_test: Option<BestTest>,
}

/// 12: what choosing the epoch by the test posts would give; optimistic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestTest {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Of the test posts.
    pub metrics: Metrics,
}

impl BestTest {
    /// The most accurate epoch, of equally accurate ones that with the least loss; none unless every epoch was tested.
    pub(crate) fn of(reports: &[EpochReport]) -> Option<Self> {
        let mut best: Option<Self> = None;
        for report in reports {
            let metrics = report.test.clone()?;
            let rank = |metrics: &Metrics| (metrics.accuracy, -metrics.loss);
            if best
                .as_ref()
                .is_none_or(|best| rank(&metrics) > rank(&best.metrics))
            {
                let epoch = report.epoch;
                best = Some(Self { epoch, metrics });
            }
        }
        best
    }
}

impl RunMetrics {
    /// Of a split, if it has labelled posts.
    pub fn of(&self, split: Split) -> Option<&Metrics> {
        match split {
            Split::Train => self.train.as_ref(),
            Split::Validation => self.validation.as_ref(),
            Split::Test => self.test.as_ref(),
        }
    }
}

/// How the epoch was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Of how many that were trained: fewer than were asked for where the last ones were no better.
    pub epochs: usize,
    /// By the accuracy on this split.
    pub by: Select,
    /// Whether that makes the test figures too good.
    pub optimistic: bool,
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// From 1.
    pub epoch: usize,
    /// Of how many.
    pub epochs: usize,
    /// Of the training posts, in training mode: with dropout, while the weights changed.
    pub train: Metrics,
    /// Of the split that is selected on, at inference.
    pub selection: Metrics,
    /// Which split that is.
    pub by: Select,
    /// Metrics of the test posts at inference, where they are looked at after each epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Metrics>,
    /// Whether this is the best epoch so far.
    pub best: bool,
    /// Use of the experts by each gate, at inference, over posts of that split.
    pub gates: Vec<GateUse>,
    /// Groups of experts that have collapsed, and where.
    pub collapsed: Vec<String>,
    /// Time it took.
    pub seconds: f64,
    /// The part of it that went into what is computed on the split that is selected on.
    #[serde(default)] // earlier versions did not say
    pub evaluation_seconds: f64,
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

    /// One to write to. What an earlier run left is refused, kept for resuming or removed, as the options say.
    pub fn create(path: &Path, resume: bool, overwrite: bool) -> Result<Self, Error> {
        let run = Self {
            path: path.to_owned(),
        };
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
        Ok(run)
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
        for name in [METRICS, WEIGHTS, PREDICTIONS, REJECTS, EPOCHS, CONFIG, RUN] {
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
        let path = self.path.join(name);
        Error::File(mmfnd_posts::Error::Write { path, source })
    }
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("plain values");
    bytes.push(b'\n');
    bytes
}
