//! Stands for `products` on processors that have no such tiles.

use std::path::Path;

use ort::operator::OperatorDomain;

/// Whether float32 products can run on this processor's matrix tiles: it has none.
pub fn available() -> bool {
    false
}

pub(crate) struct Faster {
    pub(crate) model: Vec<u8>,
    pub(crate) operators: OperatorDomain,
}

pub(crate) fn faster(_: &Path, _: usize) -> ort::Result<Option<Faster>> {
    Ok(None)
}

pub(crate) fn has_products(_: &Path) -> bool {
    false
}

#[doc(hidden)]
pub fn without_products(_: &[u8]) -> Option<Vec<u8>> {
    None
}
