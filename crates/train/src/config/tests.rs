//! The table of options in `docs/formats.md` is made of the options.

use std::fmt::Write;

use toml::Value;

use super::{HEADS, OnlineConfig, TrainConfig};
use crate::heads::{Example, Head};
use crate::options::{OptionInfo, Options, Values};
use crate::tests::docs;

const BEGIN: &str = "<!-- options: made of the program's own by a test of `crates/train` -->\n";
const END: &str = "<!-- end of the options -->\n";

#[test]
fn docs_list_the_options_as_they_are() {
    docs::check("formats.md", [BEGIN, END], &table());
}

fn table() -> String {
    let heads = || HEADS.iter().filter(|kind| kind.name != Example::NAME);
    let kinds: Vec<_> = heads().map(|kind| kind.name).collect();
    let kinds = Values::Words(&kinds.leak()[..]);
    let kind = OptionInfo {
        name: "kind",
        values: kinds,
        about: "which head; it decides which of the following `head` keys there are",
    };
    let mut table = "| key | default | values | what |\n|---|---|---|---|\n".to_owned();
    row(&mut table, "head", &kind, &HEADS[0].name.into());
    for head in heads() {
        let training = head.training_defaults().into_iter();
        let training: Vec<_> = training.map(|setting| format!("`{setting}`")).collect();
        let training = match training.is_empty() {
            true => String::new(),
            false => format!("; trained with {}", training.join(", ")),
        };
        let (name, about) = (head.name, head.about);
        writeln!(table, "| **`{name}`** | | | {about}{training} |").unwrap();
        for (option, default) in head.defaults() {
            row(&mut table, "head", option, &default);
        }
    }
    let defaults = toml::Table::try_from(TrainConfig::default()).unwrap();
    writeln!(table, "| **`[train]`** | | | |").unwrap();
    for option in TrainConfig::OPTIONS {
        row(&mut table, "train", option, &defaults[option.name]);
    }
    let defaults = toml::Table::try_from(OnlineConfig::default()).unwrap();
    writeln!(table, "| **`[resnet]`** | | | with `--online-resnet` |").unwrap();
    for option in OnlineConfig::OPTIONS {
        row(&mut table, "resnet", option, &defaults[option.name]);
    }
    table
}

fn row(table: &mut String, section: &str, option: &OptionInfo, default: &Value) {
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
    };
    let values = match option.values {
        Values::Words(all) => words(all).join(", "),
        Values::List(all) => format!("list of {}", words(all).join(", ")),
        other => other.to_string(),
    };
    let default = match default {
        Value::String(word) => format!("`{word}`"),
        Value::Array(_) => "all".to_owned(),
        number => number.to_string(),
    };
    let (key, about) = (option.name, option.about);
    writeln!(
        table,
        "| `{section}.{key}` | {default} | {values} | {about} |"
    )
    .unwrap();
}
