//! The heads as a configuration knows them: by name, with their options.

use serde::Serialize;
use toml::{Table, Value};

use super::train_section::TrainConfig;
use crate::heads::{Head, Modalities, Sizes, Training, each_head};
use crate::options::{OptionInfo, Options};

/// The heads; the first one is the default.
pub const HEADS: &[HeadKind] = &each_head!(HeadKind);

/// One head, whatever the types of its network and of its options.
#[derive(Clone, Copy, Debug)]
pub struct HeadKind {
    /// The value of `head.kind`.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Its options.
    pub options: &'static [OptionInfo],
    /// Columns of predictions that only this head has.
    pub extras: &'static [&'static str],
    pub(super) resolve: fn(&Table) -> Result<Table, String>,
    pub(super) encoders: fn(&Table) -> Vec<&'static str>,
    pub(super) reads_logits_of: fn(&Table) -> Option<&'static str>,
    pub(super) can_score: fn(&Table, Modalities) -> bool,
    pub(super) needs_both: fn(&Table) -> Option<&'static str>,
    pub(super) check: fn(&Table, &Sizes) -> Result<(), String>,
    pub(super) training: fn(&Table) -> Training,
    pub(super) to_toml: fn(&Table) -> String,
}

impl HeadKind {
    const fn of<H: Head>() -> Self {
        Self {
            name: H::NAME,
            about: H::ABOUT,
            options: H::Config::OPTIONS,
            extras: H::EXTRAS,
            resolve: resolve::<H>,
            encoders: |options| H::encoders(&options_of::<H>(options)),
            reads_logits_of: |options| H::reads_logits_of(&options_of::<H>(options)),
            can_score: |options, modalities| H::can_score(&options_of::<H>(options), modalities),
            needs_both: |options| H::needs_both(&options_of::<H>(options)),
            check: |options, sizes| H::check(&options_of::<H>(options), sizes),
            training: |options| H::training(&options_of::<H>(options)),
            to_toml: |options| to_toml(&options_of::<H>(options)),
        }
    }

    /// The head of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        HEADS.iter().find(|kind| kind.name == name)
    }

    /// What it is trained with when nothing is set, as far as that differs from what MMFND's paper says, as settings.
    pub fn training_defaults(&self) -> Vec<String> {
        let options = (self.resolve)(&Table::new()).expect("the defaults are in range");
        let table = |training| {
            let all = Table::try_from(TrainConfig::of(&training));
            all.expect("plain values")
        };
        let (own, paper) = (table((self.training)(&options)), table(Training::PAPER));
        let names = TrainConfig::OPTIONS.iter().map(|option| option.name);
        names
            .filter(|&name| own[name] != paper[name])
            .map(|name| format!("train.{name}={}", own[name]))
            .collect()
    }

    /// The values that its options have when nothing is set, in their order.
    pub fn defaults(&self) -> Vec<(&'static OptionInfo, Value)> {
        let defaults = (self.resolve)(&Table::new()).expect("the defaults are in range");
        let with_value = |option: &'static OptionInfo| (option, defaults[option.name].clone());
        self.options.iter().map(with_value).collect()
    }
}

/// The options of a head as its own type; they were resolved before.
pub(super) fn options_of<H: Head>(options: &Table) -> H::Config {
    parse::<H>(options).expect("resolved when the configuration was read")
}

fn parse<H: Head>(options: &Table) -> Result<H::Config, toml::de::Error> {
    Value::Table(options.clone()).try_into()
}

/// Every option set, or the one that is wrong.
fn resolve<H: Head>(options: &Table) -> Result<Table, String> {
    for (key, value) in options {
        let alone = Table::from_iter([(key.clone(), value.clone())]);
        let wrong = |error: toml::de::Error| format!("`head.{key}`: {}", plainly(&error));
        parse::<H>(&alone).map_err(wrong)?;
    }
    let config = parse::<H>(options).map_err(|error| plainly(&error))?;
    let resolved = H::resolve(&config)?;
    resolved.check_ranges()?;
    Ok(Table::try_from(resolved).expect("options are plain values"))
}

/// What is wrong with a value, without names of Rust's types.
pub(super) fn plainly(error: &toml::de::Error) -> String {
    let types = [
        ("usize", "a whole number, 0 or more"),
        ("u64", "a whole number, 0 or more"),
        ("f64", "a number"),
    ];
    let message = error.message().to_owned();
    types.iter().fold(message, |message, (name, plain)| {
        message.replace(&format!("expected {name}"), &format!("expected {plain}"))
    })
}

fn to_toml(config: &impl Serialize) -> String {
    toml::to_string(config).expect("options are plain values")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct() {
        for (i, kind) in HEADS.iter().enumerate() {
            assert!(HEADS[..i].iter().all(|other| other.name != kind.name));
        }
    }
}
