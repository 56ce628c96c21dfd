//! A post: text, pictures, and what is known about it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whether a post is real or fake; the number is the class index everywhere (§3 of the paper: 1 is fake).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// Class 0.
    Real = 0,
    /// Class 1.
    Fake = 1,
}

impl Label {
    /// Class index: 0 real, 1 fake.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The label of a class index, if it is one.
    pub fn from_index(index: i64) -> Option<Self> {
        match index {
            0 => Some(Self::Real),
            1 => Some(Self::Fake),
            _ => None,
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "real",
            Self::Fake => "fake",
        })
    }
}

/// Which part of a dataset a post belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Weights are fitted on it.
    Train,
    /// The epoch is selected on it.
    Validation,
    /// Touched once, for the figures.
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}

impl FromStr for Split {
    type Err = UnknownSplit;

    fn from_str(name: &str) -> Result<Self, UnknownSplit> {
        match name.trim().to_ascii_lowercase().as_str() {
            "train" | "training" => Ok(Self::Train),
            "validation" | "valid" | "val" | "dev" => Ok(Self::Validation),
            "test" => Ok(Self::Test),
            _ => Err(UnknownSplit(name.to_owned())),
        }
    }
}

/// A split's name that is none of `train`, `validation`, `test`.
#[derive(Debug, thiserror::Error)]
#[error("unknown split `{0}`; use `train`, `validation` or `test`")]
pub struct UnknownSplit(pub String);

/// One post, as it stands in `posts.parquet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Unique within its file.
    pub id: String,
    /// The text as its author wrote it; may be empty.
    pub text: String,
    /// The pictures that exist, in the post's order; the first that decodes is the one that is encoded.
    /// In memory absolute; on disk relative to the folder of `posts.parquet` where they lie below it.
    pub images: Vec<PathBuf>,
    /// `None` for posts that are only to be scored.
    pub label: Option<Label>,
    /// Part of the dataset.
    pub split: Split,
    /// What the post is about, if the dataset says so; validation splits are made by it.
    pub event: Option<String>,
    /// Text found in the picture, appended to the text for BERT when there is any.
    pub ocr_text: Option<String>,
    /// Why a fake of the demo world is fake: `mismatch`, `style`, `tamper`, `overlay`.
    pub cause: Option<String>,
}

impl Post {
    /// The text that encoders see: the post's own, then the picture's text where it is known (paper §4.1).
    pub fn encoder_text(&self) -> String {
        match self.ocr_text.as_deref() {
            Some(ocr) if !ocr.trim().is_empty() => format!("{} {}", self.text, ocr.trim()),
            _ => self.text.clone(),
        }
    }
}
