//! `mmfnd models`: which presets' models are there, which are missing, and how to get them.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use mmfnd_encode::doctor::{self, FileState};
use mmfnd_encode::{EXPORTED, Preset, available};

use super::from_run::from_run;

/// Show which presets' models are there, and how to get the others
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every preset: its models, whether they are there, how to get them
    List,
    /// Read every file of one preset and compare its checksum; exit 1 when one is missing or differs
    Check {
        /// Name of a preset, or the TOML file of one
        #[arg(value_name = "PRESET|FILE.toml")]
        preset: String,
    },
    /// A preset out of a run that trained a ResNet (`train --online-resnet`): that of the run's store with the trained
    /// ResNet in its place, for `encode`, `predict` and the rest
    FromRun {
        /// Folder of the run
        #[arg(value_name = "RUN")]
        run: PathBuf,
        /// Name of the new preset, which is written beside the one that it is made from
        #[arg(long, value_name = "NAME")]
        preset: String,
        /// The preset whose ResNet was trained, a name or a TOML file [default: the one that encoded the run's posts]
        #[arg(long, value_name = "PRESET")]
        base: Option<String>,
    },
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::List => {
            list();
            Ok(())
        }
        Command::Check { preset } => check(&preset),
        Command::FromRun { run, preset, base } => from_run(&run, &preset, base.as_deref()),
    }
}

fn list() {
    let found = available();
    for (name, file) in &found {
        match Preset::read(file) {
            Ok(preset) => show(name, &preset),
            Err(error) => println!("{name:<14} {:#}", anyhow::Error::from(error)),
        }
    }
    for (name, models) in EXPORTED {
        if found.iter().all(|(known, _)| known != name) {
            println!("{name:<14} not made here: {models}");
            println!("{:<14} {}", "", doctor::remedy_of(name));
        }
    }
}

fn show(name: &str, preset: &Preset) {
    let files = doctor::sizes_of(preset);
    let missing = files.iter().filter(|(_, size)| size.is_none()).count();
    let bytes: u64 = files.iter().filter_map(|(_, size)| *size).sum();
    let state = match missing {
        0 => format!("{} files, {}", files.len(), megabytes(bytes)),
        _ => format!("{missing} of {} files are missing", files.len()),
    };
    println!("{name:<14} {state}: {}", preset.description);
    let encoders: Vec<&str> = preset.encoders.iter().map(|e| e.name.as_str()).collect();
    println!("{:<14} encoders {}", "", encoders.join(", "));
    if missing > 0 {
        println!("{:<14} {}", "", doctor::remedy_of(name));
    }
}

fn check(name: &str) -> anyhow::Result<()> {
    let preset = Preset::find(name)?;
    let files = doctor::files_of(&preset);
    let mut bad = 0;
    for (path, state) in &files {
        let said = match state {
            FileState::Present => "as it should be".to_owned(),
            FileState::Missing => "missing".to_owned(),
            FileState::Differs => "not the file that the preset means (SHA-256)".to_owned(),
            FileState::Unreadable(why) => format!("cannot be read: {why}"),
        };
        bad += usize::from(*state != FileState::Present);
        println!("`{}` {said}", path.display());
    }
    if bad > 0 {
        bail!(
            "preset `{}` cannot be used: {bad} of its {} files are missing or wrong; {}",
            preset.name,
            files.len(),
            doctor::remedy_of(&preset.name)
        );
    }
    println!(
        "preset `{}`: {} files, all as they should be",
        preset.name,
        files.len()
    );
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
