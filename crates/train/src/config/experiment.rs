//! The experiment file: defaults, then the TOML file, then `--set key=value`; an unknown key or a value out of range is
//! an error.

use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::catalogue::{HEADS, plainly};
use super::head::{HeadConfig, KIND};
use super::keys::{full_key, nearest, with_full_keys};
use super::resnet_section::{MAPS, OnlineConfig};
use super::train_section::{Missing, TrainConfig};
use crate::Error;
use crate::heads::{Reads, TrainedLayers};
use crate::options::Options;

/// The section of the backbone.
const RESNET: &str = "resnet";

/// What is trained and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The head.
    pub head: HeadConfig,
    /// The training.
    pub train: TrainConfig,
    /// How ResNet is trained with the head, where it is.
    pub resnet: Option<OnlineConfig>,
}

impl Config {
    /// From a file, if there is one, and `key=value` settings, the later ones winning.
    pub fn read(file: Option<&Path>, settings: &[String]) -> Result<Self, Error> {
        let table = file.map_or(Ok(Table::new()), read_table)?;
        Self::with_settings(table, settings)
    }

    /// [`Config::read`], with ResNet trained with the head whether or not something says how.
    pub fn read_online(file: Option<&Path>, settings: &[String]) -> Result<Self, Error> {
        let mut table = file.map_or(Ok(Table::new()), read_table)?;
        let section = Value::Table(Table::new());
        table.entry(RESNET).or_insert(section);
        Self::with_settings(table, settings)
    }

    fn with_settings(mut table: Table, settings: &[String]) -> Result<Self, Error> {
        // the head first: it decides which options there are
        let is_kind = |setting: &&String| {
            let key = setting.split('=').next().unwrap_or_default();
            full_key(key.trim()) == "head.kind"
        };
        let (kinds, others): (Vec<_>, Vec<_>) = settings.iter().partition(is_kind);
        let settings: Vec<_> = kinds.into_iter().chain(others).collect();
        let file = table.clone();
        for setting in &settings {
            set(&mut table, setting)?;
        }
        // only now: what a setting may be can depend on those behind it
        Self::from_table(table, "the settings").map_err(|error| blame(error, &file, &settings))
    }

    /// From the text of an experiment file; `place` is its name in messages.
    pub fn parse(text: &str, place: &str) -> Result<Self, Error> {
        let table = parse_table(text, place)?;
        Self::from_table(table, place)
    }

    /// As TOML, with every option set.
    pub fn to_toml(&self) -> String {
        let train = toml::to_string(&self.train).expect("plain values");
        let resnet = self.resnet.as_ref().map(|resnet| {
            let resnet = toml::to_string(resnet).expect("plain values");
            format!("\n[{RESNET}]\n{resnet}")
        });
        let resnet = resnet.unwrap_or_default();
        format!("[head]\n{}\n[train]\n{train}{resnet}", self.head.to_toml())
    }

    /// How ResNet is trained with the head, where some layer of it is.
    pub fn online(&self) -> Option<(&OnlineConfig, TrainedLayers)> {
        let reads = self.head.encoders().contains(&"resnet");
        let resnet = self.resnet.as_ref().filter(|_| reads)?;
        Some((resnet, resnet.unfreeze.trained()?))
    }

    /// The features that are read.
    pub fn encoders(&self) -> Vec<&'static str> {
        let mut encoders = self.head.encoders();
        let maps = self
            .online()
            .filter(|(_, trained)| trained.reads() == Reads::Map);
        encoders.extend(maps.map(|_| MAPS));
        encoders
    }

    /// The first key in which two configurations differ.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let theirs = leaves(other);
        leaves(self).into_iter().find_map(|(key, ours)| {
            let theirs = theirs.iter().find(|(name, _)| *name == key);
            let theirs = theirs.map(|(_, value)| value);
            let was = theirs.map_or("not an option".to_owned(), Value::to_string);
            (theirs != Some(&ours)).then(|| format!("`{key}` is {ours}, was {was}"))
        })
    }

    fn from_table(mut table: Table, place: &str) -> Result<Self, Error> {
        let head = match table.remove("head") {
            Some(Value::Table(options)) => options,
            None => Table::new(),
            Some(_) => return Err(config_error(place, "`head` has to be a section `[head]`")),
        };
        let problem = |problem: String| config_error(place, &problem);
        let head = HeadConfig::resolve(head).map_err(problem)?;
        let resnet = table.remove(RESNET);
        let train = train_section(&table, &TrainConfig::of(&head.training()));
        let train = train.map_err(|error| problem(plainly(&error)))?;
        let resnet = resnet.map(|set| resnet_section(set, &train)).transpose();
        let config = Self {
            head,
            resnet: resnet.map_err(problem)?,
            train,
        };
        config.train.check().map_err(problem)?;
        let kind = config.head.kind();
        if config.online().is_some() && kind.reads_resnet_logits {
            return Err(problem(format!(
                "`resnet.unfreeze` is for heads that read ResNet's features; `{}` reads what its classification layer makes of them: use `fc`",
                kind.name
            )));
        }
        match config
            .head
            .needs_both()
            .filter(|_| config.train.missing == Missing::Mask)
        {
            Some(why) => Err(problem(format!(
                "`train.missing` is `mask`, but {why}; use `drop`"
            ))),
            None => Ok(config),
        }
    }
}

/// The section `[train]` alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainSection {
    train: Option<TrainConfig>,
}

/// What is set, and of the rest the defaults.
fn train_section(table: &Table, defaults: &TrainConfig) -> Result<TrainConfig, toml::de::Error> {
    let mut table = table.clone();
    if let Some(Value::Table(set)) = table.get("train") {
        let mut all = Table::try_from(defaults).expect("plain values");
        let as_number = |value: &Value| value.as_integer().map(|value| value as f64);
        if let Some(epochs) = set.get("epochs").and_then(as_number) {
            // a head's own warm-up would outlast a training that is shortened
            let warmup = defaults.warmup_epochs.min(epochs.max(0.0));
            all.insert("warmup_epochs".to_owned(), warmup.into());
        }
        all.extend(set.clone());
        table.insert("train".to_owned(), Value::Table(all));
    }
    let section: TrainSection = Value::Table(table).try_into()?;
    Ok(section.train.unwrap_or_else(|| defaults.clone()))
}

/// The section `[resnet]`: what is set, and of the rest the defaults.
fn resnet_section(set: Value, train: &TrainConfig) -> Result<OnlineConfig, String> {
    let Value::Table(set) = set else {
        return Err(format!("`{RESNET}` has to be a section `[{RESNET}]`"));
    };
    let mut all = Table::try_from(OnlineConfig::of(train)).expect("plain values");
    for (key, value) in set {
        let alone = Table::from_iter([(key.clone(), value.clone())]);
        let alone: Result<OnlineConfig, _> = Value::Table(alone).try_into();
        alone.map_err(|error| format!("`{RESNET}.{key}`: {}", plainly(&error)))?;
        all.insert(key, value);
    }
    let section: OnlineConfig = Value::Table(all)
        .try_into()
        .map_err(|error: toml::de::Error| plainly(&error))?;
    section.check(train)?;
    Ok(section)
}

/// The configuration's keys, such as `train.epochs`, with their values.
pub fn leaves(config: &Config) -> Vec<(String, Value)> {
    let train = Table::try_from(&config.train).expect("plain values");
    let named = |section: &str, values: Table| -> Vec<(String, Value)> {
        let name = |(key, value)| (format!("{section}.{key}"), value);
        values.into_iter().map(name).collect()
    };
    let kind = (format!("head.{KIND}"), Value::from(config.head.kind().name));
    let head = named("head", config.head.table().clone());
    let resnet = config.resnet.as_ref();
    let resnet = resnet.map(|resnet| Table::try_from(resnet).expect("plain values"));
    let resnet = named(RESNET, resnet.unwrap_or_default());
    [vec![kind], head, named("train", train), resnet].concat()
}

/// The keys of all heads and of the training.
fn known_keys() -> Vec<String> {
    let mut keys: Vec<_> = leaves(&Config::default())
        .into_iter()
        .map(|leaf| leaf.0)
        .collect();
    for option in HEADS.iter().flat_map(|kind| kind.options) {
        let key = format!("head.{}", option.name);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let resnet = OnlineConfig::OPTIONS.iter();
    keys.extend(resnet.map(|option| format!("{RESNET}.{}", option.name)));
    keys
}

fn read_table(file: &Path) -> Result<Table, Error> {
    let text = mmfnd_posts::read_text(file)?;
    parse_table(&text, &format!("`{}`", file.display()))
}

/// Parses and checks names and types, so that messages show the line.
fn parse_table(text: &str, place: &str) -> Result<Table, Error> {
    let table: Table =
        toml::from_str(text).map_err(|error| config_error(place, &error.to_string()))?;
    let table = with_full_keys(table).map_err(|problem| config_error(place, &problem))?;
    for (section, values) in &table {
        match values {
            Value::Table(values) => {
                let mut keys = values.keys().map(|key| format!("{section}.{key}"));
                keys.try_for_each(|key| check_key(&key, place))?;
            }
            _ => check_key(section, place)?,
        }
    }
    // types of this section, with their line; those of a head are known when its kind is
    let typed = toml::from_str::<TrainLines>(text);
    typed.map_err(|error| config_error(place, &error.to_string()))?;
    Ok(table)
}

/// The sections `[train]` and `[resnet]` of a whole file.
#[derive(Deserialize)]
struct TrainLines {
    #[serde(default, rename = "train")]
    _train: TrainConfig,
    #[serde(default, rename = "resnet")]
    _resnet: OnlineConfig,
}

/// `train.epochs=20`; what is no TOML value is a string.
fn set(table: &mut Table, setting: &str) -> Result<(), Error> {
    let place = format!("`--set {setting}`");
    let Some((key, value)) = setting.split_once('=') else {
        return Err(config_error(&place, "write it as `--set train.epochs=20`"));
    };
    let key = &full_key(key.trim());
    check_key(key, &place)?;
    let (section, name) = key.split_once('.').expect("every known key has a dot");
    let value = parse_value(value.trim());
    let section = table
        .entry(section)
        .or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = section {
        section.insert(name.to_owned(), value);
    }
    Ok(())
}

/// What is wrong with all settings together, as what is wrong with the one that it comes from: the last that sets a key
/// which the error names, or one that is as wrong without the others.
fn blame(error: Error, file: &Table, settings: &[&String]) -> Error {
    let Error::Config { problem, .. } = &error else {
        return error;
    };
    let names = |setting: &&&String| {
        let key = setting.split('=').next().unwrap_or_default();
        problem.contains(&format!("`{}`", full_key(key.trim())))
    };
    let is_wrong_alone = |setting: &&&String| {
        let mut table = file.clone();
        let alone = set(&mut table, setting).and_then(|()| Config::from_table(table, ""));
        matches!(alone, Err(Error::Config { problem: alone, .. }) if alone == *problem)
    };
    let mut last_first = settings.iter().rev();
    let found = (last_first.clone().find(names)).or_else(|| last_first.find(is_wrong_alone));
    match found {
        Some(setting) => config_error(&format!("`--set {setting}`"), problem),
        None => error,
    }
}

fn parse_value(text: &str) -> Value {
    let line: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    let value = line.ok().and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn check_key(key: &str, place: &str) -> Result<(), Error> {
    let known = known_keys();
    if known.iter().any(|name| name == key) {
        return Ok(());
    }
    let nearest = nearest(key, &known).expect("there are keys");
    let problem = format!("unknown key `{key}`; the nearest known one is `{nearest}`");
    Err(config_error(place, &problem))
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
    use crate::heads::{Ablation, ConcatMlp, Mmfnd, Pooling, Variant};

    fn set(settings: &[&str]) -> Result<Config, Error> {
        let settings: Vec<_> = settings.iter().map(|&setting| setting.to_owned()).collect();
        Config::read(None, &settings)
    }

    fn problem(settings: &[&str]) -> String {
        set(settings).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_type_is_named_in_plain_words() {
        let wrong = [
            ("head.experts=many", "expected a whole number, 0 or more"),
            ("train.batch_size=-1", "expected a whole number, 0 or more"),
            ("train.learning_rate=fast", "expected a number"),
        ];
        for (setting, expected) in wrong {
            let problem = problem(&[setting]);
            assert!(problem.ends_with(expected), "{problem}");
        }
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
        let head = config.head.options::<Mmfnd>();
        assert_eq!(head.ablation, Ablation::TextOnly);
        assert!(problem(&["train.epochs=many"]).contains("--set train.epochs=many"));
    }

    #[test]
    fn settings_are_checked_when_all_are_there() {
        let (long, epochs) = ("train.warmup_epochs=150", "train.epochs=200");
        let config = set(&[long, epochs]).unwrap();
        assert_eq!(config, set(&[epochs, long]).unwrap());
        let error = problem(&[long, "train.seed=3"]);
        assert!(
            error.contains("`--set train.warmup_epochs=150`") && error.contains("from 0 to 100"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_known_one() {
        let error = problem(&["train.epoch=3"]);
        assert!(
            error.contains("`train.epoch`") && error.contains("`train.epochs`"),
            "{error}"
        );
        assert!(problem(&["model.expert=3"]).contains("`head.experts`"));
        let error = Config::parse("[train]\nlearn_rate = 1.0\n", "`a.toml`")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`a.toml`: unknown key `train.learn_rate`"),
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
        assert_eq!(config.head.options::<Mmfnd>().variant, Variant::Released);
        let text = config.to_toml();
        assert!(
            text.contains("pooling = \"softmax\"") && text.contains("similarity = \"learned\""),
            "{text}"
        );
        let again = Config::parse(&text, "config.toml").unwrap();
        assert_eq!(again, config);
        let pooling = again.head.options::<Mmfnd>().pooling;
        assert_eq!(pooling, Some(Pooling::Softmax));
    }

    #[test]
    fn each_head_has_its_own_options_in_any_order() {
        let config = set(&["head.hidden=32", "head.kind=mlp"]).unwrap();
        assert_eq!(config.head.options::<ConcatMlp>().hidden, 32);
        let again = Config::parse(&config.to_toml(), "config.toml").unwrap();
        assert_eq!(again, config);
        let error = problem(&["head.experts=2", "head.kind=linear"]);
        assert!(
            error.contains("`head.experts` is no option of head `linear`"),
            "{error}"
        );
        let error = problem(&["head.kind=bert"]);
        assert!(error.contains("one of `mmfnd`, `linear`, `mlp`"), "{error}");
    }

    #[test]
    fn options_of_wrong_values_are_named() {
        let error = problem(&["head.pooling=mean"]);
        assert!(
            error.contains("`head.pooling`") && error.contains("softmax"),
            "{error}"
        );
        let error = problem(&["head.kind=linear", "head.features=[]"]);
        assert!(error.contains("`head.features` is empty"), "{error}");
        let error = Config::parse("head = 3\n", "`a.toml`").unwrap_err();
        assert!(error.to_string().contains("unknown key `head`"), "{error}");
    }

    #[test]
    fn a_difference_names_the_key_and_both_values() {
        let (a, b) = (set(&["train.epochs=3"]).unwrap(), set(&[]).unwrap());
        assert_eq!(a.difference(&b).unwrap(), "`train.epochs` is 3, was 100");
        assert_eq!(a.difference(&a), None);
        let linear = set(&["head.kind=linear"]).unwrap();
        let difference = linear.difference(&b).unwrap();
        assert_eq!(difference, "`head.kind` is \"linear\", was \"mmfnd\"");
    }
}
