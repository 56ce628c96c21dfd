//! Runs that differ in the seed alone, and what they are called.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::files::{self, Config, Encoder, Epoch, Metrics, Problem, Selection};
use super::predictions::{self, Prediction, Vectors};

/// A finished run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its folder.
    pub path: PathBuf,
    /// Its seed.
    pub seed: u64,
    /// How its epoch was chosen.
    pub selection: Selection,
    /// Of the validation posts.
    pub validation: Option<Metrics>,
    /// Of the test posts.
    pub test: Metrics,
    /// At the epoch that is best on the test posts.
    pub best_test: Option<Metrics>,
    /// How long it took, where its sweep says so.
    pub seconds: Option<f64>,
    /// Sentences about collapsed groups of experts, where its sweep has them.
    pub collapsed: Vec<String>,
}

impl Run {
    /// What it says about each post.
    pub fn predictions(&self) -> Result<Vec<Prediction>, Problem> {
        predictions::predictions(&self.path)
    }

    /// What the classifier reads of each post, where it was kept.
    pub fn vectors(&self) -> Result<Option<Vectors>, Problem> {
        predictions::vectors(&self.path)
    }

    /// How its epochs went.
    pub fn epochs(&self) -> Result<Vec<Epoch>, Problem> {
        files::epochs(&self.path)
    }
}

/// What runs have in common that differ in the seed alone.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Hash over the posts.
    pub posts: String,
    /// Fingerprint of the store.
    pub store: String,
    /// Of the program.
    pub version: String,
    /// That the program was built from.
    pub commit: Option<String>,
    /// Where it was computed.
    pub device: String,
    /// Whether BERT saw the text in the pictures; a sweep does not say.
    pub with_ocr: bool,
    /// Without seed and checkpoints.
    pub config: Config,
    /// Whose features were read.
    pub encoders: Vec<Encoder>,
    /// Seconds that the encoding of the whole store took, of those encoders whose store says it.
    pub encoding_seconds: BTreeMap<String, f64>,
    /// The sweep's folder, if it is of one.
    pub sweep: Option<PathBuf>,
}

/// Two runs are of one group wherever they lie; a sweep says of fewer things what they were, and its store tells them
/// apart already.
impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        let key = |origin: &Self| {
            (
                origin.posts.clone(),
                origin.store.clone(),
                origin.version.clone(),
                origin.commit.clone(),
                origin.device.clone(),
            )
        };
        key(self) == key(other) && self.config == other.config
    }
}

/// Runs that differ in the seed alone.
#[derive(Clone, Debug)]
pub struct Group {
    /// As the tables call it.
    pub name: String,
    /// What the runs have in common.
    pub origin: Origin,
    /// By seed.
    pub runs: Vec<Run>,
}

impl Group {
    pub(super) fn new(origin: Origin, run: Run) -> Self {
        Self {
            name: String::new(),
            origin,
            runs: vec![run],
        }
    }

    /// A value of the configuration as text, empty where there is none.
    pub fn text(&self, key: &str) -> String {
        self.origin.config.get(key).map(shown).unwrap_or_default()
    }

    /// The ablation of the paper's Table 2, `none` for the whole head.
    pub fn ablation(&self) -> String {
        self.text("head.ablation")
    }

    /// Whether it is the paper's head.
    pub fn is_mmfnd(&self) -> bool {
        self.text("head.kind") == "mmfnd"
    }

    /// A number of each run.
    pub fn values(&self, of: impl Fn(&Run) -> Option<f64>) -> Vec<f64> {
        self.runs.iter().filter_map(of).collect()
    }

    /// Mean accuracy on the validation posts, of those runs whose epoch was not chosen by the test posts.
    pub fn validation_accuracy(&self) -> Option<f64> {
        let values = self.values(|run| {
            let honest = run
                .validation
                .as_ref()
                .filter(|_| !run.selection.optimistic);
            honest.map(|metrics| metrics.accuracy)
        });
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// Whether an epoch was chosen by the test posts.
    pub fn is_optimistic(&self) -> bool {
        self.runs.iter().any(|run| run.selection.optimistic)
    }

    /// The run that stands for the group in figures of single runs.
    pub fn first(&self) -> &Run {
        &self.runs[0]
    }

    /// Gives each group a name of its own: the head's, and where several have the same, what tells them apart.
    pub(super) fn named(mut groups: Vec<Self>) -> Vec<Self> {
        for group in &mut groups {
            group.runs.sort_by_key(|run| run.seed);
            group.name = group.head_name();
        }
        let names: BTreeSet<_> = groups.iter().map(|group| group.name.clone()).collect();
        for name in names {
            let same: Vec<_> = (0..groups.len())
                .filter(|&index| groups[index].name == name)
                .collect();
            if same.len() > 1 {
                tell_apart(&mut groups, &same);
            }
        }
        groups
    }

    fn head_name(&self) -> String {
        let kind = self.text("head.kind");
        let mut name = match kind.as_str() {
            "mmfnd" => "MMFND".to_owned(),
            _ => {
                let features = self.text("head.features");
                let features = features.trim_matches(['[', ']']).replace(['"', ' '], "");
                format!("{kind} on {}", features.replace(',', ", "))
            }
        };
        if self.is_mmfnd() && self.text("head.variant") == "released" {
            name += " as released";
        }
        match self.ablation().as_str() {
            "" | "none" => {}
            ablation => match ablation.strip_prefix("without-") {
                Some(part) => name += &format!(" w/o {}", part.to_uppercase()),
                None => name += &format!(" {ablation}"),
            },
        }
        if self.origin.with_ocr {
            name += " with text in pictures";
        }
        name
    }
}

/// Adds to groups of one name the settings in which they differ, and their folder where they differ in none.
fn tell_apart(groups: &mut [Group], same: &[usize]) {
    let keys: BTreeSet<_> = (same.iter())
        .flat_map(|&index| groups[index].origin.config.keys().cloned())
        .collect();
    let varies = |key: &String| {
        let first = groups[same[0]].origin.config.get(key);
        same.iter()
            .any(|&index| groups[index].origin.config.get(key) != first)
    };
    let varying: Vec<_> = keys.into_iter().filter(|key| varies(key)).collect();
    for &index in same {
        let group = &groups[index];
        let setting = |key: &String| {
            let short = key.split_once('.').map_or(key.as_str(), |(_, short)| short);
            format!("{} {}", short.replace('_', " "), group.text(key))
        };
        let settings: Vec<_> = varying.iter().map(setting).collect();
        groups[index].name += &match settings.is_empty() {
            true => String::new(),
            false => format!(", {}", settings.join(", ")),
        };
    }
    for (position, &index) in same.iter().enumerate() {
        let twice =
            (same[..position].iter()).any(|&other| groups[other].name == groups[index].name);
        if twice {
            let folder = folder_name(&groups[index].first().path).to_owned();
            groups[index].name += &format!(" (`{folder}`)");
        }
    }
}

fn folder_name(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    name.unwrap_or("a folder")
}

/// A value as people write it: text without quotation marks.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
