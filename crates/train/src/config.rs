//! The experiment file: defaults, then the TOML file, then `--set key=value`; an unknown key or a value out of range is an error.

use std::ops::RangeInclusive;
use std::path::Path;

use mmfnd_posts::Split;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::Error;
use crate::heads::MmfndConfig;

/// What is trained and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The head.
    pub head: MmfndConfig,
    /// The training.
    pub train: TrainConfig,
}

/// How a head is trained; the defaults are the paper's (difference 11).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Step size of AdamW.
    pub learning_rate: f64,
    /// Decay of AdamW.
    pub weight_decay: f64,
    /// Posts in a step.
    pub batch_size: usize,
    /// Passes over the training posts.
    pub epochs: usize,
    /// Of first values, order of posts, dropout, and the validation split where one is made.
    pub seed: u64,
    /// The split by whose accuracy the epoch is chosen.
    pub select: Select,
    /// Share of the training posts that become validation posts, where there are none.
    pub validation_share: f64,
    /// Epochs from one checkpoint to the next.
    pub checkpoint_every: usize,
}

/// 12: the split by whose accuracy the epoch is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Select {
    /// Posts that are neither trained on nor reported.
    #[default]
    Validation,
    /// As the paper does; the figures are optimistic.
    Test,
}

impl Select {
    /// The split.
    pub fn split(self) -> Split {
        match self {
            Self::Validation => Split::Validation,
            Self::Test => Split::Test,
        }
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-4,
            weight_decay: 0.01,
            batch_size: 64,
            epochs: 100,
            seed: 1,
            select: Select::Validation,
            validation_share: 0.15,
            checkpoint_every: 1,
        }
    }
}

impl Config {
    /// From a file, if there is one, and `key=value` settings, the later ones winning.
    pub fn read(file: Option<&Path>, settings: &[String]) -> Result<Self, Error> {
        let mut table = match file {
            Some(file) => read_table(file)?,
            None => Table::new(),
        };
        for setting in settings {
            set(&mut table, setting)?;
        }
        Self::from_table(table, "the settings")
    }

    /// From the text of an experiment file; `place` is its name in messages.
    pub fn parse(text: &str, place: &str) -> Result<Self, Error> {
        let table = parse_table(text, place)?;
        Self::from_table(table, place)
    }

    /// With every option set, as it is written beside the results.
    pub fn resolved(&self) -> Self {
        Self {
            head: self.head.resolved(),
            train: self.train.clone(),
        }
    }

    /// As TOML, with every option set.
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.resolved()).expect("a configuration is tables of plain values")
    }

    /// The first key in which two configurations differ.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let (ours, theirs) = (leaves(self), leaves(other));
        let differs = |(ours, theirs): &(&(String, Value), &(String, Value))| ours.1 != theirs.1;
        let pair = ours.iter().zip(&theirs).find(differs);
        pair.map(|((key, ours), (_, theirs))| format!("`{key}` is {ours}, was {theirs}"))
    }

    fn from_table(table: Table, place: &str) -> Result<Self, Error> {
        let config: Self = Value::Table(table)
            .try_into()
            .map_err(|error: toml::de::Error| config_error(place, error.message()))?;
        config.check(place)?;
        Ok(config)
    }

    #[rustfmt::skip] // a table
    fn check(&self, place: &str) -> Result<(), Error> {
        let (head, train) = (&self.head, &self.train);
        let checks = [
            whole("head.experts", head.experts, 1..=8),
            whole("head.shared_experts", head.shared_experts(), 1..=8),
            whole("head.levels", head.levels, 1..=3),
            real("head.dropout", head.dropout, 0.0..=0.95),
            whole("head.projection_hidden", head.projection_hidden, 1..=8192),
            whole("head.projection", head.projection, 1..=8192),
            whole("head.fusion_hidden", head.fusion_hidden, 1..=8192),
            whole("head.branch", head.branch, 1..=8192),
            real("train.learning_rate", train.learning_rate, 1e-8..=1.0),
            real("train.weight_decay", train.weight_decay, 0.0..=1.0),
            whole("train.batch_size", train.batch_size, 2..=65_536),
            whole("train.epochs", train.epochs, 1..=100_000),
            real("train.validation_share", train.validation_share, 0.01..=0.5),
            whole("train.checkpoint_every", train.checkpoint_every, 1..=100_000),
        ];
        let problem = checks.into_iter().find_map(Result::err);
        problem.map_or(Ok(()), |problem| Err(config_error(place, &problem)))
    }
}

/// The configuration's keys, such as `train.epochs`, with their values.
pub fn leaves(config: &Config) -> Vec<(String, Value)> {
    let table = Table::try_from(config.resolved()).expect("a configuration is a table");
    let section = |(section, values): (String, Value)| {
        match values {
            Value::Table(values) => values,
            _ => unreachable!("`{section}` is a table"),
        }
        .into_iter()
        .map(move |(key, value)| (format!("{section}.{key}"), value))
    };
    table.into_iter().flat_map(section).collect()
}

fn whole(key: &str, value: usize, range: RangeInclusive<usize>) -> Result<(), String> {
    let (low, high) = (range.start(), range.end());
    match range.contains(&value) {
        true => Ok(()),
        false => Err(format!(
            "`{key}` is {value}; it has to be from {low} to {high}"
        )),
    }
}

fn real(key: &str, value: f64, range: RangeInclusive<f64>) -> Result<(), String> {
    let (low, high) = (range.start(), range.end());
    match range.contains(&value) {
        true => Ok(()),
        false => Err(format!(
            "`{key}` is {value}; it has to be from {low} to {high}"
        )),
    }
}

fn read_table(file: &Path) -> Result<Table, Error> {
    let text = std::fs::read_to_string(file).map_err(|source| mmfnd_posts::Error::Read {
        path: file.to_owned(),
        source,
    })?;
    parse_table(&text, &format!("`{}`", file.display()))
}

/// Parses and checks names and types, so that messages show the line.
fn parse_table(text: &str, place: &str) -> Result<Table, Error> {
    let table: Table =
        toml::from_str(text).map_err(|error| config_error(place, &error.to_string()))?;
    for (section, values) in &table {
        match values {
            Value::Table(values) => {
                let mut keys = values.keys().map(|key| format!("{section}.{key}"));
                keys.try_for_each(|key| check_key(&key, place))?;
            }
            _ => check_key(section, place)?,
        }
    }
    let typed = toml::from_str::<Config>(text);
    typed.map_err(|error| config_error(place, &error.to_string()))?;
    Ok(table)
}

/// `train.epochs=20`; what is no TOML value is a string.
fn set(table: &mut Table, setting: &str) -> Result<(), Error> {
    let place = format!("`--set {setting}`");
    let Some((key, value)) = setting.split_once('=') else {
        return Err(config_error(&place, "write it as `--set train.epochs=20`"));
    };
    let key = key.trim();
    check_key(key, &place)?;
    let (section, name) = key.split_once('.').expect("every known key has a dot");
    let value = parse_value(value.trim());
    let section = table
        .entry(section)
        .or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = section {
        section.insert(name.to_owned(), value);
    }
    // names the setting if its type is wrong
    Config::from_table(table.clone(), &place).map(|_| ())
}

fn parse_value(text: &str) -> Value {
    let line: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    let value = line.ok().and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn check_key(key: &str, place: &str) -> Result<(), Error> {
    let known = leaves(&Config::default());
    if known.iter().any(|(name, _)| name == key) {
        return Ok(());
    }
    let likeness = |name: &str| likeness(name, key);
    let names = known.iter().map(|(name, _)| name);
    let nearest = names.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let nearest = nearest.expect("there are keys");
    let problem = format!("unknown key `{key}`; the nearest known one is `{nearest}`");
    Err(config_error(place, &problem))
}

/// 0 to 1; 1 also for initials, such as `lr` for `learning_rate`.
fn likeness(name: &str, key: &str) -> f64 {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let (short_name, short_key) = (last(name), last(key));
    let initials: String = short_name
        .split('_')
        .filter_map(|word| word.chars().next())
        .collect();
    if initials.len() > 1 && initials == short_key {
        return 1.0;
    }
    strsim::jaro_winkler(name, key).max(strsim::jaro_winkler(&short_name, &short_key))
}

fn config_error(place: &str, problem: &str) -> Error {
    Error::Config {
        place: place.to_owned(),
        problem: problem.trim_end().to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::heads::{Ablation, Pooling, Variant};

    fn set(settings: &[&str]) -> Result<Config, Error> {
        let settings: Vec<_> = settings.iter().map(|&setting| setting.to_owned()).collect();
        Config::read(None, &settings)
    }

    fn problem(settings: &[&str]) -> String {
        set(settings).unwrap_err().to_string()
    }

    #[test]
    fn settings_are_typed_and_later_ones_win() {
        let config = set(&[
            "train.epochs=3",
            "head.ablation=text-only",
            "train.epochs=20",
        ])
        .unwrap();
        assert_eq!(config.train.epochs, 20);
        assert_eq!(config.head.ablation, Ablation::TextOnly);
        assert!(problem(&["train.epochs=many"]).contains("--set train.epochs=many"));
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_known_one() {
        let error = problem(&["train.epoch=3"]);
        assert!(
            error.contains("`train.epoch`") && error.contains("`train.epochs`"),
            "{error}"
        );
        assert!(problem(&["model.experts=3"]).contains("`head.experts`"));
        let error = Config::parse("[train]\nlr = 1.0\n", "`a.toml`")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`a.toml`: unknown key `train.lr`"),
            "{error}"
        );
        assert!(error.contains("`train.learning_rate`"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_named_with_the_range() {
        assert!(
            problem(&["head.experts=9"]).contains("`head.experts` is 9; it has to be from 1 to 8")
        );
        assert!(problem(&["train.learning_rate=nan"]).contains("train.learning_rate"));
        assert!(problem(&["train.batch_size=1"]).contains("from 2"));
    }

    #[test]
    fn the_variant_decides_what_is_not_set() {
        let config = set(&["head.variant=released", "head.pooling=softmax"]).unwrap();
        assert_eq!(config.head.variant, Variant::Released);
        let text = config.to_toml();
        assert!(
            text.contains("pooling = \"softmax\"") && text.contains("similarity = \"learned\""),
            "{text}"
        );
        let again = Config::parse(&text, "config.toml").unwrap();
        assert_eq!(again, config.resolved());
        assert_eq!(again.head.pooling(), Pooling::Softmax);
    }

    #[test]
    fn a_difference_names_the_key_and_both_values() {
        let (a, b) = (set(&["train.epochs=3"]).unwrap(), set(&[]).unwrap());
        assert_eq!(a.difference(&b).unwrap(), "`train.epochs` is 3, was 100");
        assert_eq!(a.difference(&a), None);
    }
}
