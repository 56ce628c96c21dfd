//! Weights as `torch.save` writes them: `.pth` files of torchvision, archives since PyTorch 1.6 and pickles before. The
//! reader makes tensors of a pickle and runs nothing of it.

use std::path::Path;

use pytorch_reader::{DType, PytorchReader, Tensor};

use super::weight::{Weight, Weights};
use crate::error::WeightsProblem;

/// How an archive, and how a pickle begins.
const BEGINNINGS: [&[u8]; 2] = [b"PK\x03\x04", b"\x80\x02"];
/// A safetensors file has the length of its header first, which may be any number, and then this.
const HEADER: u8 = b'{';

/// Whether a file that begins so is one of these.
pub(super) fn is_pytorch(bytes: &[u8]) -> bool {
    let is_safetensors = bytes.get(size_of::<u64>()) == Some(&HEADER);
    !is_safetensors && BEGINNINGS.iter().any(|start| bytes.starts_with(start))
}

/// The floats of a state dict; whole numbers, such as how many batches a norm saw, are no weights.
pub(super) fn read(path: &Path) -> Result<Weights, WeightsProblem> {
    let reader = PytorchReader::new(path);
    let reader = reader.map_err(|error| WeightsProblem::PyTorch(error.to_string()))?;
    let tensors = reader.into_tensors().into_iter();
    let floats = tensors.filter(|(_, tensor)| is_float(tensor.dtype()));
    let weights = floats.map(|(name, tensor)| Ok((name.clone(), weight(name, &tensor)?)));
    weights.collect()
}

fn is_float(of: DType) -> bool {
    matches!(of, DType::F64 | DType::F32 | DType::F16 | DType::BF16)
}

fn weight(name: String, tensor: &Tensor) -> Result<Weight, WeightsProblem> {
    if tensor.dtype() != DType::F32 {
        return Err(WeightsProblem::Type(name));
    }
    let bytes = tensor.read();
    let bytes = bytes.map_err(|error| WeightsProblem::PyTorch(error.to_string()))?;
    let (words, _) = bytes.as_chunks::<4>();
    Ok(Weight {
        shape: tensor.shape().to_vec(),
        values: words.iter().map(|word| f32::from_ne_bytes(*word)).collect(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::PathBuf;

    use super::super::file;
    use super::*;
    use crate::heads::TrainedLayers;

    fn golden(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests/golden")
            .join(name)
    }

    #[test]
    fn files_of_torch_save_hold_what_the_safetensors_file_holds() {
        let (all, _) = file::read(&golden("resnet_layer4.safetensors")).unwrap();
        let expected: Weights = (all.into_iter())
            .filter_map(|(name, weight)| Some((name.strip_prefix("weight.")?.to_owned(), weight)))
            .collect();
        assert!(expected.len() > 20, "{}", expected.len());
        for name in ["resnet.pth", "resnet_legacy.pth"] {
            let (mut weights, about) = file::read(&golden(name)).unwrap();
            assert_eq!(weights["fc.weight"].shape, [3, 5]);
            weights.retain(|name, _| TrainedLayers::All.has(name));
            assert!(weights == expected, "{name}");
            assert_eq!(about, None);
        }
    }

    #[test]
    fn what_is_cut_off_or_would_run_something_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let whole = std::fs::read(golden("resnet.pth")).unwrap();
        let evil = b"\x80\x02cos\nsystem\nX\x09\x00\x00\x00touch bad\x85R.".to_vec();
        for (name, bytes) in [
            ("cut.pth", whole[..whole.len() / 2].to_vec()),
            ("evil.pth", evil),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let error = file::read(&path).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("PyTorch"), "{error}");
        }
        assert!(!Path::new("bad").exists());
    }

    #[test]
    fn a_header_of_640_bytes_makes_no_pickle_of_a_safetensors_file() {
        let header = 640_u64.to_le_bytes();
        assert!(!is_pytorch(&[&header[..], b"{\"a\":"].concat()));
        assert!(is_pytorch(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"));
    }
}
