//! What is trained and how: the sections of an experiment, and what they may be together.

use serde::Deserialize;
use toml::{Table, Value};

use super::catalogue::plainly;
use super::head::{HeadConfig, KIND};
use super::resnet_section::{MAPS, OnlineConfig};
use super::train_section::{Missing, TrainConfig};
use crate::Error;
use crate::heads::{Reads, TrainedLayers};

/// The section of the backbone.
pub(super) const RESNET: &str = "resnet";

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

    pub(super) fn from_table(mut table: Table, place: &str) -> Result<Self, Error> {
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
        if config.online().is_some() && config.head.reads_logits_of() == Some("resnet") {
            return Err(problem(format!(
                "`resnet.unfreeze` is for heads that read ResNet's features; `{}` reads what its classification layer makes of them: use `fc`",
                config.head.kind().name
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

pub(super) fn config_error(place: &str, problem: &str) -> Error {
    Error::Config {
        place: place.to_owned(),
        problem: problem.trim_end().to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_key_and_both_values() {
        let set = |setting: &str| Config::read(None, &[setting.to_owned()]).unwrap();
        let (a, b) = (set("train.epochs=3"), Config::default());
        assert_eq!(a.difference(&b).unwrap(), "`train.epochs` is 3, was 100");
        assert_eq!(a.difference(&a), None);
        let difference = set("head.kind=linear").difference(&b).unwrap();
        assert_eq!(difference, "`head.kind` is \"linear\", was \"mmfnd\"");
    }
}
