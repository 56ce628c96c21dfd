//! `mmfnd doctor`: what was found, what is missing, and the remedy.

use mmfnd_encode::doctor::{self, FileState, PresetState};
use mmfnd_encode::{Runtime, cache_dir};

/// Show what this machine has, what is missing and how to get it
#[derive(clap::Args)]
pub struct Arguments {}

/// Runs the subcommand; an error when the demo could not run.
pub fn run(_arguments: Arguments) -> anyhow::Result<()> {
    println!("mmfnd {}", env!("CARGO_PKG_VERSION"));
    println!("  cache         `{}`", cache_dir().display());
    let is_runtime_usable = runtime();
    devices();
    let is_demo_usable = presets();
    match (is_runtime_usable, is_demo_usable) {
        (true, true) => Ok(()),
        (false, _) => {
            anyhow::bail!("without ONNX Runtime nothing can be encoded, the demo neither")
        }
        (true, false) => anyhow::bail!("the preset `demo` cannot be used, and the demo needs it"),
    }
}

/// ONNX Runtime, fetched if need be, as `encode` would do it.
fn runtime() -> bool {
    println!("ONNX Runtime");
    let runtime = match Runtime::load() {
        Ok(runtime) => runtime,
        Err(error) => {
            println!("  not usable    {:#}", anyhow::Error::from(error));
            return false;
        }
    };
    println!(
        "  library       `{}` ({})",
        runtime.path.display(),
        runtime.origin
    );
    println!("  version       {}", runtime.version);
    println!("  providers     {}", runtime.providers.join(", "));
    match doctor::cuda(runtime) {
        Ok(()) => println!("  --device cuda usable"),
        Err(error) => println!(
            "  --device cuda not usable: {:#}",
            anyhow::Error::from(error)
        ),
    }
    true
}

/// What heads can be trained on.
fn devices() {
    println!("devices for heads");
    for found in mmfnd_train::devices() {
        let name = found.device.name();
        match found.problem {
            None => println!("  {name:<13} usable"),
            Some(problem) => println!("  {name:<13} not usable: {problem}"),
        }
    }
}

/// Says whether the demo's is complete.
fn presets() -> bool {
    println!("presets");
    let presets = doctor::presets();
    if presets.is_empty() {
        println!("  none; looked in `$MMFND_MODELS/presets` and `models/presets`");
    }
    for preset in &presets {
        show(preset);
    }
    presets
        .iter()
        .any(|preset| preset.name == "demo" && preset.is_usable())
}

fn show(preset: &PresetState) {
    let name = &preset.name;
    let files = match &preset.files {
        Ok(files) => files,
        Err(error) => {
            println!("  {name:<13} {error}");
            return;
        }
    };
    if preset.is_usable() {
        println!("  {name:<13} usable ({} files)", files.len());
        return;
    }
    println!("  {name:<13} not usable: {}", preset.remedy());
    for (path, state) in files {
        let state = match state {
            FileState::Present => continue,
            FileState::Missing => "missing".to_owned(),
            FileState::Differs => "not the file that the preset means".to_owned(),
            FileState::Unreadable(why) => why.clone(),
        };
        println!("  {:<13} `{}` {state}", "", path.display());
    }
}
