//! What `run.json` says.

use std::collections::BTreeMap;

use mmfnd_features::EncoderSpec;
use mmfnd_pictures::Preprocessing;
use serde::{Deserialize, Serialize};

use crate::Device;
use crate::heads::{ResnetConfig, Sizes};

/// What `run.json` says: where a run comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Of this file.
    pub format: u32,
    /// The program's version.
    pub version: String,
    /// The git commit that the program was built from, where it is known.
    pub commit: Option<String>,
    /// Seed of the run.
    pub seed: u64,
    /// Where it was computed.
    pub device: Device,
    /// Fingerprint of the store's contents.
    pub store: String,
    /// Hash over ids, splits, labels and pictures of the posts.
    pub posts: String,
    /// The encoders whose features were read.
    pub encoders: Vec<EncoderSpec>,
    /// Seconds that the encoding of the whole store took, of those encoders whose store says it.
    #[serde(default)]
    pub encoding_seconds: BTreeMap<String, f64>,
    /// Sizes of the features.
    pub sizes: Sizes,
    /// Whether BERT's features are of the text with that in the pictures; `None` for a head without BERT, and in runs
    /// of versions that did not record it.
    #[serde(default)]
    pub with_ocr: Option<bool>,
    /// Sizes of the ResNet that was trained with the head, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<ResnetConfig>,
    /// What became of the pictures that it was trained from, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<Preprocessing>,
    /// Posts of each split, and how many were left out.
    pub counts: Counts,
    /// What was decided for the user.
    pub notes: Vec<String>,
}

/// Numbers of posts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Trained on.
    pub train: usize,
    /// Selected on.
    pub validation: usize,
    /// Reported.
    pub test: usize,
    /// Without a usable picture or, where it is needed, a label; listed in `rejects.csv`.
    pub left_out: usize,
}
