//! `encoder.json`: what one encoder is, and how many parts of its rows were written, so that a deleted one is missed.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::replaced_file::Checksums;
use super::sealed_json;
use crate::Error;
use crate::identity::EncoderSpec;

pub(crate) const ENCODER_FILE: &str = "encoder.json";
pub(crate) const CLASSIFIER_FILE: &str = "classifier.safetensors";

/// The folder of all encoders' folders.
pub(crate) const ENCODERS: &str = "encoders";

/// `encoder.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EncoderFile {
    /// The encoder.
    pub(crate) encoder: EncoderSpec,
    /// Number of the first part that counts; those before it were joined into later ones and are removed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) first: usize,
    /// One more than the number of the last part that was written.
    pub(crate) parts: usize,
    /// Seconds that the encoding of its rows took, waiting included; 0 where earlier versions made them.
    #[serde(default)]
    pub(crate) seconds: f64,
    /// The classification layer's file.
    pub(crate) classifier: Checksums,
}

impl EncoderFile {
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        sealed_json::read(&folder.join(ENCODER_FILE), &replace_remedy(folder))
    }

    /// Numbers of the parts that were written and count.
    pub(crate) fn numbers(&self) -> Range<usize> {
        self.first..self.parts
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        sealed_json::write(&folder.join(ENCODER_FILE), self)
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The folder of an encoder.
pub(crate) fn encoder_folder(store: &Path, name: &str) -> PathBuf {
    store.join(ENCODERS).join(name)
}

/// What to do when a file of an encoder is damaged.
pub(crate) fn replace_remedy(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    format!("run `mmfnd encode … --replace {name}` to encode its features again")
}
