//! How an experiment is read: defaults, then the TOML file, then `--set key=value`; an unknown key or a value out of
//! range is an error.

use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::catalogue::HEADS;
use super::experiment::{Config, RESNET, config_error, leaves};
use super::keys::{full_key, nearest, with_full_keys};
use super::resnet_section::OnlineConfig;
use super::train_section::TrainConfig;
use crate::Error;
use crate::options::Options;

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
}
