//! The counts of an import.

use std::collections::BTreeMap;

use serde::Serialize;

use super::reject::Reason;
use crate::{Label, Split};

/// Numbers of rows per split and label: `fake`, `real`, `unlabelled`, `humor`.
pub type Table = BTreeMap<Split, BTreeMap<&'static str, usize>>;

/// Every count of an import; `rows = posts + rejects`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counts {
    /// Rows read, headers and blank lines not among them.
    pub rows: usize,
    /// Rows that became posts.
    pub posts: usize,
    /// Rows that did not.
    pub rejects: usize,
    /// Rejects by reason.
    pub rejects_by_reason: BTreeMap<Reason, usize>,
    /// Rows whose split and label could be read, whatever became of them.
    pub read: Table,
    /// Rows that became posts.
    pub taken: Table,
    /// `humor` posts that were dropped (MediaEval 2015).
    pub humor_dropped: usize,
    /// Pictures.
    pub pictures: PictureCounts,
    /// Posts of which two or more pictures exist.
    pub posts_with_several_pictures: usize,
    /// Posts without any picture (only with `--missing-image keep`).
    pub posts_without_picture: usize,
    /// Posts with a picture but an empty text.
    pub posts_without_text: usize,
    /// Characters of the longest text; nothing is cut here.
    pub longest_text: usize,
}

/// Distinct pictures that the rows name.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PictureCounts {
    /// Distinct names or ids.
    pub named: usize,
    /// Those for which there is a file.
    pub found: usize,
    /// Those for which there is none.
    pub missing: usize,
    /// The ten missing ones that the most rows name.
    pub most_missed: Vec<Missed>,
    /// Symbolic links out of the folder; they are not followed.
    pub links_not_followed: usize,
}

/// A picture for which there is no file.
#[derive(Clone, Debug, Serialize)]
pub struct Missed {
    /// Its name or id.
    pub name: String,
    /// Rows that name it.
    pub rows: usize,
}

/// The column of a label in [`Table`].
pub(super) fn label_name(label: Option<Label>) -> &'static str {
    match label {
        Some(Label::Fake) => "fake",
        Some(Label::Real) => "real",
        None => "unlabelled",
    }
}

/// Adds one to a cell.
pub(super) fn add(table: &mut Table, split: Split, label: &'static str) {
    *table.entry(split).or_default().entry(label).or_default() += 1;
}
