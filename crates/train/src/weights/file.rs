//! Weights as a safetensors file, written whole or not at all.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use mmfnd_posts::atomic;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::named::{Weight, Weights};
use crate::Error;
use crate::error::WeightsProblem;

/// Writes weights, with one string beside them if there is one.
pub(crate) fn write(path: &Path, weights: &Weights, about: Option<String>) -> Result<(), Error> {
    let bytes: Vec<_> = weights
        .iter()
        .map(|(name, weight)| (name, &weight.shape, to_bytes(&weight.values)))
        .collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
        (name.as_str(), view.expect("the values fill the shape"))
    });
    let metadata = about.map(|about| HashMap::from([("about".to_owned(), about)]));
    let file = safetensors::serialize(views, metadata);
    let file = file.map_err(|error| problem(path, error.into()))?;
    Ok(atomic::write(path, |out| out.write_all(&file))?)
}

/// Reads weights and the string beside them.
pub(crate) fn read(path: &Path) -> Result<(Weights, Option<String>), Error> {
    let bytes = std::fs::read(path).map_err(|source| mmfnd_posts::Error::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&bytes).map_err(|error| problem(path, error))
}

pub(crate) fn problem(path: &Path, problem: WeightsProblem) -> Error {
    Error::Weights {
        path: path.to_owned(),
        problem,
    }
}

fn parse(bytes: &[u8]) -> Result<(Weights, Option<String>), WeightsProblem> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let about = header
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get("about"));
    let weights = SafeTensors::deserialize(bytes)?;
    let weights = weights.iter().map(|(name, view)| match view.dtype() {
        Dtype::F32 => Ok((name.to_owned(), from_view(&view))),
        _ => Err(WeightsProblem::Type(name.to_owned())),
    });
    Ok((weights.collect::<Result<_, _>>()?, about.cloned()))
}

fn from_view(view: &TensorView) -> Weight {
    let (chunks, _) = view.data().as_chunks::<4>();
    Weight {
        shape: view.shape().to_vec(),
        values: chunks
            .iter()
            .map(|chunk| f32::from_le_bytes(*chunk))
            .collect(),
    }
}

fn to_bytes(values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; 4 * values.len()];
    let (chunks, _) = bytes.as_chunks_mut::<4>();
    for (chunk, value) in chunks.iter_mut().zip(values) {
        *chunk = value.to_le_bytes();
    }
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let weight = |shape: &[usize], values: &[f32]| Weight {
            shape: shape.to_vec(),
            values: values.to_vec(),
        };
        let weights = Weights::from([
            ("a.weight".to_owned(), weight(&[2, 1], &[1.5, -0.0])),
            ("a.bias".to_owned(), weight(&[1], &[f32::MIN_POSITIVE])),
        ]);
        write(&path, &weights, Some("x".into())).unwrap();
        assert_eq!(read(&path).unwrap(), (weights, Some("x".into())));
    }

    #[test]
    fn another_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        std::fs::write(&path, "text").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.contains("a.safetensors") && error.contains("no safetensors file"),
            "{error}"
        );
    }
}
