//! Encoders of the same name that are not the same: why not, where this program knows more than the store.

use std::path::Path;

use mmfnd_features::Store;

use crate::encoder::Encoders;
use crate::error::Error;

/// The store's error, or what lies behind it: its features were made of pictures or texts that an earlier version of
/// this program had prepared in another way.
pub(super) fn explained(
    error: mmfnd_features::Error,
    (encoders, number): (&dyn Encoders, usize),
    store: &Path,
) -> Error {
    let name = &encoders.specs()[number].name;
    let revisions = || {
        let store = Store::open(store).ok()?;
        let stored = store.encoders().iter().find(|spec| spec.name == *name)?;
        encoders.earlier_revision(number, stored)
    };
    let is_other = matches!(error, mmfnd_features::Error::OtherEncoder { .. });
    match is_other.then(revisions).flatten() {
        Some((stored, ours)) => Error::OtherRevision {
            store: store.to_owned(),
            encoder: name.clone(),
            stored,
            ours,
        },
        None => error.into(),
    }
}
