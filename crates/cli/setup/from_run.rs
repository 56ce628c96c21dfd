//! `mmfnd models from-run`: a preset whose ResNet is the one that a run trained.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use mmfnd_encode::{Folded, Preset, Retrained, retrained_model, retrained_preset};
use mmfnd_posts::atomic;
use mmfnd_posts::hash::sha256_hex;
use mmfnd_train::{RunDir, TunedResnet};

/// Writes the ONNX file, the weights and the classification layer into a folder of the preset's name, then the preset.
pub(super) fn from_run(run: &Path, name: &str, base: Option<&str>) -> anyhow::Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(plain) {
        bail!("`{name}` is no name of a preset: use letters, digits, `_` and `-`");
    }
    let info = RunDir::open(run)?.info()?;
    let trained = info.encoders.iter().find(|spec| spec.name == "resnet");
    let trained = trained.context("the run reads no ResNet")?;
    let base = base.unwrap_or(&trained.preset);
    let preset = Preset::find(base)
        .context("the ResNet that was trained is that of a preset; name it with `--base`")?;
    let encoder = preset
        .encoders
        .iter()
        .find(|encoder| encoder.name == "resnet");
    let encoder = encoder.with_context(|| format!("preset `{base}` has no encoder `resnet`"))?;
    let spec = encoder.spec(&preset.name, trained.value_type, &trained.provider);
    if spec.fingerprint != trained.fingerprint {
        bail!("the run's ResNet is not that of preset `{base}`; name its own with `--base`");
    }
    let weights = encoder.backbone.as_deref();
    let weights = weights.with_context(|| format!("preset `{base}` has no `backbone`"))?;
    let tuned = TunedResnet::of(run, weights)?;
    let folded = |[weight, bias]: [Vec<f32>; 2]| Folded { weight, bias };
    let convolutions = tuned.convolutions.into_iter().map(|[was, is]| Retrained {
        was: folded(was),
        is: folded(is),
    });
    let convolutions: Vec<_> = convolutions.collect();
    let model = retrained_model(encoder, &preset.name, &convolutions)?;
    let mut files = vec![
        ("model", "resnet.onnx", model),
        ("backbone", "resnet.safetensors", tuned.weights),
    ];
    if let Some(classifier) = tuned.classifier {
        files.push(("classifier", "resnet.classifier.safetensors", classifier));
    }
    let sums = files
        .iter()
        .map(|(key, file, bytes)| (*key, *file, sha256_hex(bytes)));
    let sums: Vec<_> = sums.collect();
    let (path, text) = retrained_preset(base, name, &sums)?;
    let presets = path.parent().unwrap_or(Path::new("."));
    let folder = presets.join("..").join(name);
    if path.exists() || folder.exists() {
        bail!(
            "preset `{name}` is there already: `{}` or `{}`; use another name, or remove them",
            path.display(),
            folder.display()
        );
    }
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    for (_, file, bytes) in &files {
        atomic::write(&folder.join(file), |out| out.write_all(bytes))?;
    }
    // last, so that a preset is whole or not there
    atomic::write(&path, |out| out.write_all(text.as_bytes()))?;
    println!("preset `{name}`: `{}`", path.display());
    Ok(())
}
