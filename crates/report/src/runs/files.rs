//! The files of runs and sweeps, as docs/formats.md describes them; only what a report reads.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The newest format of `run.json` and `sweep.json` that is understood.
const FORMAT: u32 = 1;

/// Key of the configuration → value.
pub type Config = BTreeMap<String, Value>;

/// Why something on the disk is left out of the report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Problem {
    /// The folder or file.
    pub place: String,
    /// What is wrong with it, and what to do.
    pub what: String,
}

impl Problem {
    /// What is wrong with `place`.
    pub fn new(place: &Path, what: impl fmt::Display) -> Self {
        Self {
            place: place.display().to_string(),
            what: what.to_string(),
        }
    }
}

/// `run.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct RunInfo {
    format: u32,
    /// Of the program.
    pub version: String,
    /// That the program was built from.
    pub commit: Option<String>,
    /// Of the run.
    pub seed: u64,
    /// Where it was computed.
    pub device: String,
    /// Fingerprint of the store.
    pub store: String,
    /// Hash over the posts.
    pub posts: String,
    /// Whose features were read.
    pub encoders: Vec<Encoder>,
    /// What their encoding took.
    #[serde(default)]
    pub encoding_seconds: BTreeMap<String, f64>,
    /// Whether BERT saw the text in the pictures.
    #[serde(default)]
    pub with_ocr: Option<bool>,
}

/// An encoder as `run.json` names it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Encoder {
    /// `bert`, `clip_text`, …
    pub name: String,
    /// The preset that it belongs to.
    pub preset: String,
    /// The model's file.
    pub model: String,
}

/// Figures of a split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Labelled posts.
    pub n: usize,
    /// Share told right.
    pub accuracy: f64,
    /// Mean cross-entropy.
    pub loss: f64,
    /// Of the class fake.
    pub fake: ClassMetrics,
    /// Of the class real.
    pub real: ClassMetrics,
    /// Rows: what posts are; columns: what they were taken for; real first.
    pub confusion: [[usize; 2]; 2],
    /// Mean of the two F1.
    pub macro_f1: f64,
    /// Area under the ROC curve.
    pub auroc: Option<f64>,
    /// Average precision of the class fake.
    #[serde(default)]
    pub auprc: Option<f64>,
    /// Expected calibration error.
    #[serde(default)]
    pub ece: Option<f64>,
}

/// Precision, recall and their harmonic mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Share of those taken for the class that are of it.
    pub precision: f64,
    /// Share of those of the class that are taken for it.
    pub recall: f64,
    /// 2PR / (P + R).
    pub f1: f64,
}

/// How the epoch was chosen.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Selection {
    /// The chosen one.
    pub epoch: usize,
    /// That were trained.
    pub epochs: usize,
    /// `validation` or `test`.
    pub by: String,
    /// By the test posts.
    pub optimistic: bool,
}

/// `metrics.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct RunMetrics {
    /// How the epoch was chosen.
    pub selection: Selection,
    /// Of the validation posts.
    pub validation: Option<Metrics>,
    /// Of the test posts.
    pub test: Option<Metrics>,
    /// In a sweep: at the epoch that is best on the test posts.
    #[serde(default)]
    pub best_test: Option<BestTest>,
}

/// The paper's way of choosing an epoch.
#[derive(Clone, Debug, Deserialize)]
pub struct BestTest {
    /// Of the test posts.
    pub metrics: Metrics,
}

/// A line of `metrics.jsonl`.
#[derive(Clone, Debug, Deserialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Of the training batches.
    pub train: Metrics,
    /// Of the split by which the epoch is chosen.
    pub selection: Metrics,
    /// How long it took; runs of some versions did not record it.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// Use of the experts.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// A sentence for each group that has collapsed.
    #[serde(default)]
    pub collapsed: Vec<String>,
}

/// What a gate gives each expert, on average over posts.
#[derive(Clone, Debug, Deserialize)]
pub struct Gate {
    /// Its path among the weights.
    pub gate: String,
    /// In the order in which the gate weighs them.
    pub groups: Vec<GateGroup>,
    /// 1 even, 0 all to one.
    pub entropy: f64,
}

/// The experts of one group at a gate.
#[derive(Clone, Debug, Deserialize)]
pub struct GateGroup {
    /// `unimodal`, `shared`, `cross_modal`.
    pub group: String,
    /// An expert each.
    pub shares: Vec<f64>,
}

/// `sweep.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct SweepFile {
    format: u32,
    /// Of the program.
    pub version: String,
    /// That the program was built from.
    pub commit: Option<String>,
    /// Where it is computed.
    pub device: String,
    /// What varies.
    pub axes: Vec<Axis>,
    /// Asked for.
    pub seeds: Vec<u64>,
    /// What does not vary.
    pub config: Config,
    /// Fingerprint of the store.
    pub store: String,
    /// Hash over the posts.
    pub posts: String,
    /// Whose features are read.
    pub encoders: Vec<Encoder>,
    /// What their encoding took.
    #[serde(default)]
    pub encoding_seconds: BTreeMap<String, f64>,
}

/// An axis of a sweep.
#[derive(Clone, Debug, Deserialize)]
pub struct Axis {
    /// Of the configuration.
    pub key: String,
    /// That are tried.
    pub values: Vec<Value>,
}

/// A line of `runs.jsonl`.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    /// The run's folder.
    pub run: String,
    /// Key → value of the axes.
    pub point: Config,
    /// Of the run.
    pub seed: u64,
    /// `finished` or `failed`.
    pub status: String,
    /// Why it failed.
    pub error: Option<String>,
    /// Of the last start.
    pub seconds: f64,
    /// Of a finished run.
    pub selection: Option<Selection>,
    /// Of the validation posts.
    pub validation: Option<Metrics>,
    /// Of the test posts.
    pub test: Option<Metrics>,
    /// At the epoch that is best on the test posts.
    #[serde(default)]
    pub best_test: Option<BestTest>,
    /// Groups of experts, at the chosen epoch.
    #[serde(default)]
    pub collapsed: Vec<String>,
}

/// Reads `run.json`.
pub fn run_info(folder: &Path) -> Result<RunInfo, Problem> {
    let path = folder.join("run.json");
    let info: RunInfo = json(&path)?;
    check_format(&path, info.format)?;
    Ok(info)
}

/// Reads `metrics.json`.
pub fn run_metrics(folder: &Path) -> Result<RunMetrics, Problem> {
    json(&folder.join("metrics.json"))
}

/// Reads `metrics.jsonl`.
pub fn epochs(folder: &Path) -> Result<Vec<Epoch>, Problem> {
    let path = folder.join("metrics.jsonl");
    let text = text(&path)?;
    text.lines().map(|line| parse(&path, line)).collect()
}

/// Reads `config.toml` as keys with their section: `train.seed`.
pub fn config(folder: &Path) -> Result<Config, Problem> {
    let path = folder.join("config.toml");
    let text = text(&path)?;
    let sections: BTreeMap<String, BTreeMap<String, Value>> =
        toml::from_str(&text).map_err(|error| damaged(&path, &error.message()))?;
    let keys = sections.into_iter().flat_map(|(section, values)| {
        let key = move |(key, value)| (format!("{section}.{key}"), value);
        values.into_iter().map(key)
    });
    Ok(keys.collect())
}

/// Reads `sweep.json`.
pub fn sweep(folder: &Path) -> Result<SweepFile, Problem> {
    let path = folder.join("sweep.json");
    let sweep: SweepFile = json(&path)?;
    check_format(&path, sweep.format)?;
    Ok(sweep)
}

/// Reads `runs.jsonl`; of several lines of a run the last one counts. A torn last line is no record yet, since a
/// sweep may be writing it.
pub fn records(folder: &Path) -> Result<Vec<Record>, Problem> {
    let path = folder.join("runs.jsonl");
    let text = text(&path)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut records = BTreeMap::new();
    for (order, line) in whole.lines().enumerate() {
        let record: Record = parse(&path, line)?;
        records.insert(record.run.clone(), (order, record));
    }
    let mut records: Vec<_> = records.into_values().collect();
    records.sort_by_key(|(order, _)| *order);
    Ok(records.into_iter().map(|(_, record)| record).collect())
}

fn check_format(path: &Path, format: u32) -> Result<(), Problem> {
    match format {
        FORMAT => Ok(()),
        _ => Err(Problem::new(
            path,
            format!("is of format {format}, this program reads format {FORMAT}; use a newer one"),
        )),
    }
}

fn text(path: &Path) -> Result<String, Problem> {
    fs::read_to_string(path).map_err(|error| Problem::new(path, format!("cannot be read: {error}")))
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Problem> {
    parse(path, &text(path)?)
}

/// A file of a newer format may lack what this version expects: its format is looked at first.
fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|error| {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        match serde_json::from_str(text) {
            Ok(Format { format }) if format > FORMAT => {
                check_format(path, format).expect_err("the format is newer")
            }
            _ => damaged(path, &error),
        }
    })
}

fn damaged(path: &Path, error: &dyn fmt::Display) -> Problem {
    Problem::new(path, format!("is damaged ({error}); train the run again"))
}
