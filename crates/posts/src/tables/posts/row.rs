//! The values of one row, checked; errors name the row and the column.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::{Error, Label, Split, hash};

/// One row being checked, to name it in errors.
pub(super) struct Row<'a> {
    pub(super) path: &'a Path,
    pub(super) row: usize,
}

impl Row<'_> {
    pub(super) fn id(&self, id: Option<String>, seen: &mut SeenIds) -> Result<String, Error> {
        let id = id.ok_or_else(|| self.wrong("post_id", "null", "a string"))?;
        self.new_id(&id, seen)?;
        Ok(id)
    }

    pub(super) fn new_id(&self, id: &str, seen: &mut SeenIds) -> Result<(), Error> {
        let expected = "every id once: an earlier row has this one";
        match seen.insert(id) {
            true => Ok(()),
            false => Err(self.wrong("post_id", id, expected)),
        }
    }

    pub(super) fn text(&self, text: Option<String>) -> Result<String, Error> {
        text.ok_or_else(|| self.wrong("text", "null", "an empty string where there is no text"))
    }

    pub(super) fn images(
        &self,
        images: Vec<Option<String>>,
        folder: &Path,
    ) -> Result<Vec<PathBuf>, Error> {
        let image = |image: Option<String>| match image {
            Some(image) => Ok(folder.join(image)),
            None => Err(self.wrong("images", "null", "an empty list where there is no picture")),
        };
        images.into_iter().map(image).collect()
    }

    pub(super) fn label(&self, label: Option<i64>) -> Result<Option<Label>, Error> {
        let Some(index) = label else { return Ok(None) };
        let expected = "0 (real), 1 (fake) or null (unknown)";
        match Label::from_index(index) {
            Some(label) => Ok(Some(label)),
            None => Err(self.wrong("label", &index.to_string(), expected)),
        }
    }

    pub(super) fn split(&self, split: Option<String>) -> Result<Split, Error> {
        let split = split.as_deref().unwrap_or("null");
        let expected = "`train`, `validation` or `test`";
        split
            .parse()
            .map_err(|_| self.wrong("split", split, expected))
    }

    pub(super) fn wrong(&self, column: &'static str, value: &str, expected: &'static str) -> Error {
        Error::Value {
            path: self.path.to_owned(),
            row: self.row,
            column,
            value: value.to_owned(),
            expected,
        }
    }
}

/// Ids that were met, as hashes: millions of them need not fit into memory as strings.
#[derive(Default)]
pub(super) struct SeenIds(HashSet<u128>);

impl SeenIds {
    /// Whether the id is new.
    pub(super) fn insert(&mut self, id: &str) -> bool {
        self.0.insert(hash::short(id))
    }
}

/// The absolute folder of a file.
pub(super) fn folder_of(path: &Path) -> Result<PathBuf, Error> {
    let absolute = std::path::absolute(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(absolute.parent().map(Path::to_owned).unwrap_or_default())
}
