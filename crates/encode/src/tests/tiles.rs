//! A model whose products are ours against PyTorch, and what the store records of it. `tests/golden/products.py` wrote
//! the model, its input and its result.

use std::path::{Path, PathBuf};

use mmfnd_features::Precision;
use mmfnd_tiles::Arithmetic;
use ort::session::Session;
use ort::value::Tensor;
use safetensors::SafeTensors;

use crate::onnx::{Engine, shared_session};
use crate::{Device, Encoders, FromPreset, Options, Preset, Runtime, in_bfloat16};

/// Largest error, as a share of the largest value.
const LIMIT: f32 = 1e-5;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(name)
}

fn tensor(name: &str) -> (Vec<usize>, Vec<f32>) {
    let file = std::fs::read(golden("products.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let tensor = tensors.tensor(name).unwrap();
    let values = tensor.data().as_chunks().0.iter();
    let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
    (tensor.shape().to_vec(), values)
}

/// What the golden model makes of its input, with so many threads in an operator; none for ONNX Runtime alone.
fn run(arithmetic: Arithmetic, threads: Option<usize>) -> Vec<f32> {
    let builder = Session::builder(&Runtime::load().unwrap().environment).unwrap();
    let mut builder = builder.with_intra_threads(threads.unwrap_or(1)).unwrap();
    let model = std::fs::read(golden("products.onnx")).unwrap();
    let session = match threads {
        None => builder.commit_from_memory(&model),
        Some(threads) => {
            let rewritten = mmfnd_tiles::Rewritten::of(&model, arithmetic).unwrap();
            let operators = rewritten.operators(threads).unwrap();
            let mut builder = builder.with_operators(operators).unwrap();
            builder.commit_from_memory(rewritten.model())
        }
    };
    let maps = Tensor::from_array(tensor("maps")).unwrap().into_dyn();
    let result = shared_session::run(&session.unwrap(), &[("maps", maps)], &["result"]).unwrap();
    result[0].try_extract_tensor::<f32>().unwrap().1.to_vec()
}

fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let largest = expected
        .iter()
        .fold(0.0, |all: f32, value| all.max(value.abs()));
    assert!(largest > 0.0);
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= LIMIT * largest,
            "{found} {expected}"
        );
    }
}

#[test]
fn the_golden_model_gives_what_pytorch_gives() {
    assert_near(&run(Arithmetic::Float32, None), &tensor("result").1);
}

#[test]
#[cfg_attr(not(has_tiles), ignore = "this processor has no matrix tiles")]
fn a_model_with_our_products_gives_what_pytorch_gives_and_the_same_by_any_number_of_threads() {
    let run = |threads| run(Arithmetic::Float32, threads);
    let found = run(Some(1));
    assert_near(&found, &tensor("result").1);
    assert_ne!(found, run(None), "the products are in use");
    assert_eq!(found, run(Some(2)));
}

#[test]
#[cfg_attr(
    not(has_bfloat16),
    ignore = "this processor has no instructions for bfloat16"
)]
fn a_model_in_bfloat16_is_near_and_the_same_by_any_number_of_threads() {
    let run = |threads| run(Arithmetic::Bfloat16, threads);
    let (found, plain) = (run(Some(1)), run(None));
    assert_ne!(found, plain, "the products are in use");
    assert_eq!(found, run(Some(2)));
    let length = |one: &[f32], other: &[f32]| -> f64 {
        let products = one
            .iter()
            .zip(other)
            .map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum()
    };
    let cosine = length(&found, &plain) / (length(&found, &found) * length(&plain, &plain)).sqrt();
    assert!(cosine > 0.9999 && cosine < 1.0, "{cosine}");
}

#[test]
#[cfg_attr(
    not(has_bfloat16),
    ignore = "this processor has no instructions for bfloat16"
)]
fn bfloat16_is_a_precision_of_its_own_where_a_model_has_large_products() {
    let plain = Preset::find("demo").unwrap();
    let preset = in_bfloat16(&plain, Device::Cpu).unwrap();
    let spec = |preset: &Preset, name: &str| {
        let encoders = FromPreset::new(preset, Path::new(""), &Options::default());
        let mut specs = encoders.specs().iter();
        specs.find(|spec| spec.name == name).unwrap().clone()
    };
    let resnet = spec(&preset, "resnet");
    assert_eq!(resnet.precision, Precision::Bf16);
    assert_ne!(resnet.fingerprint, spec(&plain, "resnet").fingerprint);
    assert!(resnet.provider.ends_with("_BF16"), "{}", resnet.provider);
    // all of its linear maps are small
    assert_eq!(spec(&preset, "bert"), spec(&plain, "bert"));
    let again = plain.in_precision_of(std::slice::from_ref(&resnet));
    assert_eq!(spec(&again, "resnet"), resnet);
}

#[test]
fn bfloat16_is_refused_with_what_can_be_used_instead() {
    let preset = Preset::find("demo").unwrap();
    let said = |device| in_bfloat16(&preset, device).unwrap_err().to_string();
    let on_gpu = said(Device::Cuda);
    assert!(
        on_gpu.contains("`bf16`") && on_gpu.contains("-fp16"),
        "{on_gpu}"
    );
    if Arithmetic::Bfloat16.means().is_none() {
        let said = said(Device::Cpu);
        assert!(
            said.contains("AVX512_BF16") && said.contains("-int8"),
            "{said}"
        );
    }
}

#[test]
fn what_is_recorded_is_what_runs_the_products() {
    let preset = Preset::find("demo").unwrap();
    let provider = |tiles, name: &str| {
        let options = Options {
            tiles,
            ..Options::default()
        };
        let encoder = preset.encoders.iter().find(|encoder| encoder.name == name);
        Engine::new(&options).provider(encoder.unwrap())
    };
    let tiles = match Arithmetic::Float32.means().is_some() {
        true => "CPUExecutionProvider+AMX",
        false => "CPUExecutionProvider",
    };
    assert_eq!(provider(true, "resnet"), tiles);
    assert_eq!(provider(false, "resnet"), "CPUExecutionProvider");
    // All of its linear maps are small.
    assert_eq!(provider(true, "bert"), "CPUExecutionProvider");
}

/// ONNX Runtime's binding hands out an operator's state as `&mut`, so no two threads may run one session of ours.
#[test]
#[cfg_attr(not(has_tiles), ignore = "this processor has no matrix tiles")]
fn each_thread_has_a_session_of_its_own_where_operators_are_ours() {
    let preset = Preset::find("demo").unwrap();
    let sessions = |name: &str| {
        let options = Options {
            threads: 3,
            ..Options::default()
        };
        let encoder = preset.encoders.iter().find(|encoder| encoder.name == name);
        crate::onnx::sessions(encoder.unwrap(), &options).unwrap()
    };
    assert_eq!(sessions("resnet"), (3, 3));
    assert_eq!(sessions("bert"), (3, 1));
}
