//! Posts for the tests of the audit.

use crate::{Label, Post, Split};

/// A post without pictures.
pub(super) fn post(id: usize, split: Split, label: Label, text: &str) -> Post {
    Post {
        id: id.to_string(),
        text: text.to_owned(),
        images: Vec::new(),
        label: Some(label),
        split,
        event: None,
        ocr_text: None,
        cause: None,
    }
}
