//! Float32 products of frozen encoders on the processor's matrix tiles, two to three times as fast as ordinary float32 arithmetic.
//!
//! ONNX Runtime runs the model; its large products with fixed weights, linear maps and convolutions, are taken out of the model before it sees it and come back as operators of ours.
//! See [`tiles`] for the arithmetic.

mod convolution;
mod linear;
mod model;
mod operators;
mod planes;
mod split;
mod tiles;
mod wire;

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;
use ort::operator::OperatorDomain;

/// Whether float32 products can run on this processor's matrix tiles (Intel AMX, with AVX-512).
pub fn available() -> bool {
    tiles::available()
}

/// A model that is rewritten, and the operators that it needs.
pub(crate) struct Faster {
    pub(crate) model: Vec<u8>,
    pub(crate) operators: OperatorDomain,
}

/// Takes the products out of an ONNX file, where there are some; each is computed by as many threads.
///
/// # Panics
/// Where tiles are not [`available`].
pub(crate) fn faster(path: &Path, threads: usize) -> ort::Result<Option<Faster>> {
    let failed = |error: std::io::Error| ort::Error::new(error.to_string());
    let file = File::open(path).map_err(failed)?;
    // SAFETY: nobody writes to a model while it is read: its checksum was compared a moment ago. It is mapped since reading it takes as long as laying out all weights.
    let model = unsafe { Mmap::map(&file) }.map_err(failed)?;
    let Some(rewritten) = model::rewrite(&model) else {
        return Ok(None);
    };
    Ok(Some(Faster {
        model: rewritten.model,
        operators: operators::domain(rewritten.products, threads)?,
    }))
}

/// Whether a file is an ONNX model with products to take out; one that cannot be read has none.
pub(crate) fn has_products(path: &Path) -> bool {
    let file = File::open(path);
    // SAFETY: as in `faster`; what is found is no more than a name for the record.
    let model = file.and_then(|file| unsafe { Mmap::map(&file) });
    model.is_ok_and(|model| model::has_products(&model))
}

/// What is left of a model when its products are taken out, for the fuzz target.
#[doc(hidden)]
pub fn without_products(model: &[u8]) -> Option<Vec<u8>> {
    available()
        .then(|| model::rewrite(model))?
        .map(|rewritten| rewritten.model)
}

#[cfg(test)]
mod tests;
