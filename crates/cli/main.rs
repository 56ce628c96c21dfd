//! The binary `mmfnd`: one subcommand per job, one file per subcommand, in a folder per station of the data.
//! Comes in: a command line. Goes out: its result on standard output, progress and errors on standard error.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use heads::{ablate, evaluate, predict, sweep, train};
use posts::{import, ocr, world};
use setup::{doctor, models};
use store::{encode, features};

mod demo;
mod heads;
mod posts;
mod setup;
mod show;
mod store;

/// The system's own gives large blocks back to the kernel at once: a training step then spends a fifth of its time on
/// fresh pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Detects fake news in posts of text and picture: encode once, train heads in seconds.
#[derive(Parser)]
#[command(name = "mmfnd", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Ablate(ablate::Arguments),
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
    Sweep(sweep::Arguments),
    Train(train::Arguments),
    World(world::Arguments),
}

fn main() -> ExitCode {
    end_quietly_when_nobody_reads();
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Ablate(arguments) => ablate::run(arguments),
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
        Command::Sweep(arguments) => sweep::run(arguments),
        Command::Train(arguments) => train::run(arguments),
        Command::World(arguments) => world::run(arguments),
    }
}

/// `println!` panics where nobody reads any more (`mmfnd … | head`); that is no fault to report.
fn end_quietly_when_nobody_reads() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        if message.starts_with("failed printing to stdout: Broken pipe") {
            std::process::exit(128 + 13); // as where SIGPIPE ends a program: what was asked for may not be done
        }
        report(panic);
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
