//! One row of a manifest, nothing judged yet.

use super::fields::Fields;
use crate::import::Reason;

/// A row, and where it stands.
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) fields: Result<Fields, Fault>,
}

/// Why a row is no post.
pub(super) struct Fault {
    pub(super) id: Option<String>,
    pub(super) reason: Reason,
    pub(super) detail: String,
}

impl Fault {
    pub(super) fn new(reason: Reason, detail: String) -> Self {
        Self {
            id: None,
            reason,
            detail,
        }
    }

    pub(super) fn of(self, id: Option<String>) -> Self {
        Self { id, ..self }
    }
}
