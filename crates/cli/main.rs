//! The binary `mmfnd`: one subcommand per job, one file per subcommand, in a folder per station of the data.
//! Comes in: a command line. Goes out: its result on standard output, progress and errors on standard error.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use heads::{ablate, compare, compare_heads, evaluate, predict, sweep, train};
use posts::{import, ocr, world};
use setup::{doctor, models};
use show::note::note;
use store::{encode, features};

mod demo;
mod heads;
mod interruption;
mod outputs;
mod posts;
mod report;
mod setup;
mod show;
mod store;
mod threads;

/// The system's own gives large blocks back to the kernel at once: a training step then spends a fifth of its time on
/// fresh pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Detects fake news in posts of text and picture: encode once, train heads in seconds.
#[derive(Parser)]
#[command(name = "mmfnd", version, max_term_width = 80)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Ablate(ablate::Arguments),
    Compare(compare::Arguments),
    CompareHeads(compare_heads::Arguments),
    Demo(demo::Arguments),
    Doctor(doctor::Arguments),
    Encode(encode::Arguments),
    Evaluate(evaluate::Arguments),
    Features(features::Arguments),
    Heads(heads::list::Arguments),
    Import(import::Arguments),
    Models(models::Arguments),
    Ocr(ocr::Arguments),
    Predict(predict::Arguments),
    Report(report::Arguments),
    Sweep(sweep::Arguments),
    Train(train::Arguments),
    World(world::Arguments),
}

impl Command {
    /// For those that keep what they did; the others start anew.
    fn how_to_go_on(&self) -> Option<&'static str> {
        match self {
            Self::Ablate(_) | Self::CompareHeads(_) | Self::Sweep(_) => {
                Some("runs that have ended are kept: the same command goes on with the others")
            }
            Self::Encode(_) | Self::Ocr(_) => {
                Some("what was done is kept: the same command goes on from there")
            }
            Self::Predict(arguments) if arguments.preset.is_some() => {
                Some("posts that were encoded are kept: the same command goes on from there")
            }
            Self::Train(_) => {
                Some("the same command with `--resume` goes on from the last checkpoint")
            }
            _ => None,
        }
    }
}

fn main() -> ExitCode {
    end_where_nothing_can_be_printed();
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    if let Some(how) = arguments.command.how_to_go_on() {
        interruption::say_how_to_go_on(how);
    }
    match arguments.command {
        Command::Ablate(arguments) => ablate::run(arguments),
        Command::Compare(arguments) => compare::run(arguments),
        Command::CompareHeads(arguments) => compare_heads::run(arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Encode(arguments) => encode::run(arguments),
        Command::Evaluate(arguments) => evaluate::run(arguments),
        Command::Features(arguments) => features::run(arguments),
        Command::Heads(arguments) => heads::list::run(arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::Models(arguments) => models::run(arguments),
        Command::Ocr(arguments) => ocr::run(arguments),
        Command::Predict(arguments) => predict::run(arguments),
        Command::Report(arguments) => report::run(arguments),
        Command::Sweep(arguments) => sweep::run(arguments),
        Command::Train(arguments) => train::run(arguments),
        Command::World(arguments) => world::run(arguments),
    }
}

/// `println!` panics where standard output cannot be written: nobody reads any more (`mmfnd … | head`), or a disk is
/// full. That is no fault of the program, to be told with a place in its code.
fn end_where_nothing_can_be_printed() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        let Some(reason) = message.strip_prefix("failed printing to stdout: ") else {
            return report(panic);
        };
        if reason.starts_with("Broken pipe") {
            std::process::exit(128 + 13); // as where SIGPIPE ends a program: what was asked for may not be done
        }
        note(format_args!("error: cannot print: {reason}"));
        std::process::exit(1);
    }));
}

/// `mmfnd … | head` is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
