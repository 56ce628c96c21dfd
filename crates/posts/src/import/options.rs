//! Choices of an import.

use serde::Serialize;

/// What becomes of a post none of whose pictures exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingImage {
    /// It is a reject with the reason `no picture`.
    #[default]
    Drop,
    /// It stays, with its text only.
    Keep,
}

/// Choices of an import.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Options {
    /// What becomes of a post without a picture.
    pub missing_image: MissingImage,
    /// Whether a manifest may name pictures outside its own folder.
    pub allow_outside: bool,
}
