//! Weights as a safetensors file, written whole or not at all; those of `torch.save` are read, too.

use std::collections::HashMap;
use std::path::Path;

use mmfnd_posts::atomic;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use super::pytorch;
use super::stored::Stored;
use super::weight::{Weight, Weights};
use crate::Error;
use crate::error::WeightsProblem;

/// Writes tensors one after the other, with one string beside them if there is one.
pub(crate) fn write<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, Stored<'a>)>,
    about: Option<String>,
) -> Result<(), Error> {
    let about = about.map(|about| HashMap::from([("about".to_owned(), about)]));
    let content = |file: &Path| match safetensors::serialize_to_file(tensors, about, file) {
        Err(SafeTensorError::IoError(error)) => Err(error),
        written => written.map_err(std::io::Error::other),
    };
    Ok(atomic::write_by_name(path, content)?)
}

/// Reads weights and the string beside them.
pub(crate) fn read(path: &Path) -> Result<(Weights, Option<String>), Error> {
    let bytes = std::fs::read(path).map_err(|source| mmfnd_posts::Error::Read {
        path: path.to_owned(),
        source,
    })?;
    let read = match pytorch::is_pytorch(&bytes) {
        true => pytorch::read(path).map(|weights| (weights, None)),
        false => parse(&bytes),
    };
    read.map_err(|error| problem(path, error))
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let (first, second) = ([1.5, -0.0], [f32::MIN_POSITIVE]);
        let second_on_device = Tensor::from_data(second, &Device::flex());
        let stored = [
            ("b".to_owned(), Stored::row(&first)),
            ("a".to_owned(), Stored::of(second_on_device)),
        ];
        write(&path, stored, Some("x".into())).unwrap();
        let weight = |values: &[f32]| Weight {
            shape: vec![values.len()],
            values: values.to_vec(),
        };
        let expected = [
            ("a".to_owned(), weight(&second)),
            ("b".to_owned(), weight(&first)),
        ];
        assert_eq!(read(&path).unwrap(), (expected.into(), Some("x".into())));
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
