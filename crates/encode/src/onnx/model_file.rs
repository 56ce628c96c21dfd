//! A model's file as it is opened: read once, its checksum compared, with only those weights that the preset names.
//! Checksums are compared before a run begins too, but hours may pass until a model is opened.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use super::graph::external;
use crate::error::Error;
use crate::preset::{EncoderPreset, tidy};

/// The bytes of a model.
pub(super) struct ModelFile {
    pub(super) model: Vec<u8>,
    /// The weights that lie in a file beside it, under each name that the model has for that file.
    pub(super) weights: Vec<(String, Arc<[u8]>)>,
}

impl ModelFile {
    /// Reads a model of this preset, and its weights.
    pub(super) fn read(encoder: &EncoderPreset, preset: &str) -> Result<Self, Error> {
        let model: Vec<u8> = encoder.read(&encoder.model, &encoder.sha256, preset)?;
        let names = named_weights(encoder, &model)?;
        let weights = match (&encoder.weights, &encoder.weights_sha256) {
            (Some(file), Some(sum)) => {
                let bytes: Arc<[u8]> = encoder.read(file, sum, preset)?;
                names
                    .into_iter()
                    .map(|name| (name, Arc::clone(&bytes)))
                    .collect()
            }
            _ => Vec::new(),
        };
        Ok(Self { model, weights })
    }
}

/// Says before the first batch whether a model keeps weights in other files than the preset says.
pub(super) fn check_weights(encoder: &EncoderPreset) -> Result<(), Error> {
    let model = mapped(&encoder.model).map_err(Error::io(&encoder.model))?;
    named_weights(encoder, &model).map(|_| ())
}

/// A file's bytes without reading all of them, where nothing but a first look depends on them.
pub(super) fn mapped(path: &Path) -> std::io::Result<Mmap> {
    let file = std::fs::File::open(path)?;
    // SAFETY: whoever writes to a model meanwhile makes this look give another answer, or ends the process; what is
    // opened is read anew and compared with its checksum.
    unsafe { Mmap::map(&file) }
}

/// The names that a model has for the one file beside it that may hold weights of it.
fn named_weights(encoder: &EncoderPreset, model: &[u8]) -> Result<BTreeSet<String>, Error> {
    let unfit = |problem: String| Error::Model {
        encoder: encoder.name.clone(),
        path: encoder.model.clone(),
        source: problem.into(),
    };
    let names = external::files(model).ok_or_else(|| unfit("it is no ONNX model".into()))?;
    let folder = encoder.model.parent().unwrap_or(Path::new(""));
    let is_named = |name: &&String| {
        let file = tidy(&folder.join(name.as_str()));
        encoder
            .weights
            .as_ref()
            .is_some_and(|weights| tidy(weights) == file)
    };
    if let Some(other) = names.iter().find(|name| !is_named(name)) {
        return Err(unfit(format!(
            "it keeps weights in `{other}`, which the preset does not name; only one file with `weights` and `weights_sha256` can be used"
        )));
    }
    match &encoder.weights {
        Some(weights) if names.is_empty() => Err(unfit(format!(
            "it does not use the weights `{}`; take `weights` and `weights_sha256` out of the preset",
            weights.display()
        ))),
        _ => Ok(names),
    }
}
