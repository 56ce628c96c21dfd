//! `mmfnd heads`: the heads that can be trained, and their options.

use std::io::Write;

use anyhow::Context;
use mmfnd_train::HEADS;

/// List the heads with their options
///
/// `mmfnd train --set head.kind=NAME` trains a head, `--set head.OPTION=VALUE` sets one of its options.
#[derive(clap::Args)]
pub struct Arguments {}

/// Runs the subcommand.
pub fn run(_arguments: Arguments) -> anyhow::Result<()> {
    let mut text = String::new();
    for kind in HEADS {
        text += &format!("head.kind={}: {}\n", kind.name, kind.about);
        let training = kind.training_defaults();
        if !training.is_empty() {
            text += &format!("  trained with {}\n", training.join(", "));
        }
        for (option, default) in kind.defaults() {
            let (key, values) = (format!("head.{}", option.name), option.values);
            text += &format!(
                "  {key:<22} {} ({values}; default {default})\n",
                option.about
            );
        }
    }
    let mut stdout = std::io::stdout().lock();
    (stdout.write_all(text.as_bytes())).context("cannot print the heads")
}
