//! `mmfnd doctor`: what was found, what is missing, and the remedy.

use std::process::Command;

use mmfnd_encode::doctor::{self, FileState, PresetState};
use mmfnd_encode::{Runtime, cache_dir, nvidia};

/// Show what this machine has, what is missing and how to get it
#[derive(clap::Args)]
pub struct Arguments {
    /// Fetch ONNX Runtime for this device from PyPI (256 MB, pinned, checksummed), and say what else it needs
    #[arg(long, value_name = "DEVICE", value_enum)]
    install: Option<Installable>,
    /// Only try CUDA, in a process that has loaded nothing else; exit 1 with the reason when it cannot be used
    #[arg(long, hide = true)]
    probe_cuda: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Installable {
    Cuda,
}

/// Runs the subcommand; an error when the demo could not run.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    if arguments.probe_cuda {
        let runtime = doctor::cuda()?;
        println!("`{}`, version {}", runtime.path.display(), runtime.version);
        return Ok(());
    }
    if let Some(Installable::Cuda) = arguments.install {
        return install_cuda();
    }
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
    println!("  --device cpu  {}", tiles());
    println!("  --device cuda {}", probe_cuda());
    true
}

/// What runs float32 products.
fn tiles() -> &'static str {
    match mmfnd_encode::has_tiles() {
        true => "usable, float32 products on the processor's matrix tiles (Intel AMX)",
        false => "usable, without matrix tiles (Intel AMX)",
    }
}

/// Fetches the library and tries it; that it cannot be used yet is said, with what it needs, and is no failure.
fn install_cuda() -> anyhow::Result<()> {
    let library = Runtime::install_cuda()?;
    println!("library         `{}`", library.display());
    println!("it needs        {}", nvidia::DRIVER);
    println!("                CUDA 13 and cuDNN 9, from NVIDIA's packages or from PyPI:");
    println!("                {}", nvidia::INSTALL);
    println!("--device cuda   {}", probe_cuda());
    Ok(())
}

/// Tries CUDA in a process of its own: a process can have one ONNX Runtime only.
fn probe_cuda() -> String {
    let own = std::env::current_exe();
    let tried = own.and_then(|own| {
        let mut command = Command::new(own);
        command.args(["doctor", "--probe-cuda"]).output()
    });
    match tried {
        Err(error) => format!("not tried: {error}"),
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            format!("usable ({})", said.trim())
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let reason = said.lines().find_map(|line| line.strip_prefix("error: "));
            format!("not usable: {}", reason.unwrap_or(said.trim()))
        }
    }
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
