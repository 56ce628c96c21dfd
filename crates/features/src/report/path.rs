//! Paths in JSON, which has only Unicode.

use std::path::Path;

use serde::Serializer;

/// The path as text; what of it is not UTF-8 is shown by a replacement character.
pub(super) fn as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}
