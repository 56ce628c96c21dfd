//! What reading the text in pictures did.

use std::path::PathBuf;

/// A picture that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcrReject {
    /// A post that has it.
    pub post_id: String,
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub reason: String,
}

/// What a run of [`read_pictures`](crate::read_pictures) did.
#[derive(Clone, Debug, Default)]
pub struct OcrSummary {
    /// Posts that were given.
    pub posts: usize,
    /// Posts in whose picture some text was found.
    pub posts_with_text: usize,
    /// Posts without a picture that can be read; their `ocr_text` stays as it was.
    pub posts_without_picture: usize,
    /// Distinct pictures that Tesseract read now.
    pub read: usize,
    /// Distinct pictures whose text was in the cache.
    pub cached: usize,
    /// Distinct files that cannot be read, each with a post that has it.
    pub rejects: Vec<OcrReject>,
}
