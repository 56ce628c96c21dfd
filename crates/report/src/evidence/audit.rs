//! `import.json` beside the posts: what the import found.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::runs::Problem;

/// What a report takes from `import.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct ImportFile {
    /// `twitter`, `weibo` or `manifest`.
    pub dataset: String,
    /// What was audited.
    pub audit: Audit,
}

/// The leak audit.
#[derive(Clone, Debug, Deserialize)]
pub struct Audit {
    /// In sentences.
    pub findings: Vec<String>,
    /// The best guess from one property alone.
    #[serde(default)]
    pub guesses: Vec<Guess>,
}

/// How far one property of a post alone tells its label.
#[derive(Clone, Debug, Deserialize)]
pub struct Guess {
    /// The property.
    pub from: String,
    /// Of the best guess, over all labelled posts.
    pub accuracy: f64,
}

/// Reads `import.json` beside a posts file; there is none where no import wrote it.
pub(super) fn beside(posts: &Path) -> Result<Option<ImportFile>, Problem> {
    let path = posts.with_file_name("import.json");
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path)
        .map_err(|error| Problem::new(&path, format!("cannot be read: {error}")))?;
    let file = serde_json::from_str(&text);
    file.map_err(|error| Problem::new(&path, format!("is damaged ({error}); import again")))
}
