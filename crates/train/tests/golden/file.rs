//! A golden file, read back by name, and the tolerances it is compared with.

use std::path::PathBuf;

use burn::tensor::{Device, Int, Tensor, TensorData};
use mmfnd_train::heads::Noise;
use mmfnd_train::weights::{Weight, Weights};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// How far an output may be from PyTorch's.
pub const OUTPUT: Tolerance = Tolerance {
    relative: 1e-5,
    absolute: 1e-5,
};
/// The same on devices that add up in another order than PyTorch and flex. BatchNorm divides by the deviation of a few
/// posts, which makes rounding larger; the largest difference seen is 1.3e-5, on wgpu with dropout.
pub const OUTPUT_ELSEWHERE: Tolerance = Tolerance {
    relative: 1e-5,
    absolute: 3e-5,
};
/// How far a gradient may be. The absolute part is for the biases before a BatchNorm: their gradient is zero but for
/// rounding.
pub const GRADIENT: Tolerance = Tolerance {
    relative: 1e-4,
    absolute: 2e-6,
};
/// The same on those other devices.
pub const GRADIENT_ELSEWHERE: Tolerance = Tolerance {
    relative: 1e-3,
    absolute: 1e-5,
};
/// How far a running statistic may be after a training step.
pub const STATISTIC: Tolerance = Tolerance {
    relative: 1e-5,
    absolute: 1e-6,
};
/// How far the loss of one of twenty AdamW steps may be.
pub const LOSS: Tolerance = Tolerance {
    relative: 0.0,
    absolute: 1e-4,
};

/// How far a weight may be after those steps, each of which moves it by up to 3e-3.
pub const WEIGHT: Tolerance = Tolerance {
    relative: 0.0,
    absolute: 1e-5,
};

/// `|ours − theirs| ≤ relative · |theirs| + absolute`, for each number.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    pub relative: f32,
    pub absolute: f32,
}

impl Tolerance {
    /// Panics with the first number that is too far off.
    pub fn check(self, what: &str, ours: &[f32], theirs: &[f32]) {
        assert_eq!(ours.len(), theirs.len(), "{what}: number of values");
        for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            let allowed = self.relative * theirs.abs() + self.absolute;
            let is_close = (ours - theirs).abs() <= allowed; // false for NaN
            assert!(
                is_close,
                "{what}[{i}]: ours {ours}, PyTorch {theirs} ({self:?})"
            );
        }
    }
}

/// A tensor of that shape and those values.
pub fn tensor<const D: usize>(weight: &Weight, device: &Device) -> Tensor<D> {
    let data = TensorData::new(weight.values.clone(), weight.shape.clone());
    Tensor::from_data(data, device)
}

/// One file of `tests/golden`.
pub struct Golden {
    pub name: String,
    tensors: Weights,
    /// Versions, seed, sizes and options.
    pub about: serde_json::Value,
}

fn words<'a, const N: usize>(view: &'a TensorView) -> impl Iterator<Item = [u8; N]> + 'a {
    view.data()
        .chunks_exact(N)
        .map(|word| word.try_into().unwrap())
}

/// `tests/golden` of the repository, or the folder that `MMFND_GOLDEN` names: this program may run where there is no
/// repository.
pub fn folder() -> PathBuf {
    let named = std::env::var_os("MMFND_GOLDEN").map(PathBuf::from);
    named.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden"))
}

impl Golden {
    pub fn open(name: &str) -> Self {
        let bytes = std::fs::read(folder().join(format!("{name}.safetensors"))).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let about = &header.metadata().as_ref().unwrap()["about"];
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let values = |view: TensorView| match view.dtype() {
            Dtype::F32 => words(&view).map(f32::from_le_bytes).collect(),
            Dtype::I64 => words(&view)
                .map(|word| i64::from_le_bytes(word) as f32)
                .collect(),
            other => panic!("{name}: {other:?}"),
        };
        let weight = |view: TensorView| Weight {
            shape: view.shape().to_vec(),
            values: values(view),
        };
        Self {
            name: name.to_owned(),
            about: serde_json::from_str(about).unwrap(),
            tensors: (tensors.iter())
                .map(|(key, view)| (key.to_owned(), weight(view)))
                .collect(),
        }
    }

    /// What the masks of dropout are drawn by, at one step of the training; none where the file has no dropout.
    pub fn noise_at(&self, step: u64) -> Option<Noise> {
        let seed = self.about["noise"]["seed"].as_u64()?;
        Some(Noise::new(seed, step))
    }

    /// The same at the one step that the file is about.
    pub fn noise(&self) -> Option<Noise> {
        self.noise_at(self.about["noise"]["step"].as_u64()?)
    }

    pub fn get(&self, key: &str) -> &Weight {
        self.tensors
            .get(key)
            .unwrap_or_else(|| panic!("{}: no `{key}`", self.name))
    }

    pub fn tensor<const D: usize>(&self, key: &str, device: &Device) -> Tensor<D> {
        tensor(self.get(key), device)
    }

    pub fn labels(&self, device: &Device) -> Tensor<1, Int> {
        let labels = self.get("input.label").values.iter();
        let labels: Vec<i64> = labels.map(|&label| label as i64).collect();
        Tensor::from_data(TensorData::from(labels.as_slice()), device)
    }

    /// The tensors whose names start with `prefix.`, named without it.
    pub fn under(&self, prefix: &str) -> Weights {
        let inside = |(key, values): (&String, &Weight)| {
            Some((
                key.strip_prefix(prefix)?.strip_prefix('.')?.to_owned(),
                values.clone(),
            ))
        };
        self.tensors.iter().filter_map(inside).collect()
    }

    /// Compares a tensor with the one of that name.
    pub fn check<const D: usize>(&self, key: &str, ours: Tensor<D>, tolerance: Tolerance) {
        let shape = ours.dims().to_vec();
        let values = numbers(ours);
        self.check_weight(key, &Weight { shape, values }, tolerance);
    }

    /// Compares weights, or what belongs to them, with those of the same names under `prefix`.
    pub fn check_weights(&self, prefix: &str, ours: &Weights, tolerance: Tolerance) {
        for name in self.under(prefix).keys() {
            let ours = ours.get(name);
            let ours = ours.unwrap_or_else(|| panic!("{}: no {prefix}.{name}", self.name));
            self.check_weight(&format!("{prefix}.{name}"), ours, tolerance);
        }
    }

    /// As [`check_weights`](Self::check_weights), and no other weight may have a gradient.
    pub fn check_gradients(&self, ours: &Weights, tolerance: Tolerance) {
        let theirs = self.under("grad.weight");
        let name = |weights: &Weights| weights.keys().cloned().collect::<Vec<_>>();
        assert_eq!(name(ours), name(&theirs), "{}: gradients", self.name);
        self.check_weights("grad.weight", ours, tolerance);
    }

    fn check_weight(&self, key: &str, ours: &Weight, tolerance: Tolerance) {
        let (what, theirs) = (format!("{} {key}", self.name), self.get(key));
        assert_eq!(ours.shape, theirs.shape, "{what}: shape");
        tolerance.check(&what, &ours.values, &theirs.values);
    }
}

/// The values of a tensor.
pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().unwrap()
}
