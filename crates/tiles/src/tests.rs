//! The products against the same sums in float64, and a model of which they are a part against PyTorch. Where the processor has no tiles, they are not used and cannot be tried.

use std::path::{Path, PathBuf};

use ort::session::Session;
use ort::value::Tensor;
use safetensors::SafeTensors;

use super::convolution::Convolution;
use super::linear::Linear;
use super::model::{Product, has_products, rewrite};
use super::planes::Shape;
use super::{available, faster, wire};
use crate::concurrent;
use crate::runtime::Runtime;
use crate::session::Engine;
use crate::{Options, Preset};

/// Largest error, as a share of the largest sum.
const LIMIT: f64 = 1e-5;

/// Numbers between -1 and 1.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Numbers as they stand in a file.
fn stored(numbers: &[f32]) -> Vec<[u8; 4]> {
    numbers.iter().map(|number| number.to_le_bytes()).collect()
}

fn assert_near(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len());
    let largest = expected
        .iter()
        .fold(0.0, |all: f64, value| all.max(value.abs()));
    let errors = found.iter().zip(expected);
    let error = errors.fold(0.0, |all: f64, (found, expected)| {
        all.max((f64::from(*found) - expected).abs())
    });
    assert!(error <= LIMIT * largest, "{what}: {error:e} of {largest}");
    assert!(largest > 0.0);
}

#[test]
fn a_linear_map_is_that_of_float32() {
    if !available() {
        return eprintln!("not tried: this processor has no tiles");
    }
    for (rows, inputs, outputs) in [
        (1, 32, 1),
        (33, 96, 70),
        (64, 768, 64),
        (700, 3072, 40),
        (5, 512, 2048),
    ] {
        let (x, weights) = (numbers(1, rows * inputs), numbers(2, inputs * outputs));
        let mut found = vec![f32::NAN; rows * outputs];
        Linear::new(&stored(&weights), inputs, outputs).apply(&x, &mut found);
        let sum = |row: usize, column: usize| -> f64 {
            (0..inputs)
                .map(|i| f64::from(x[row * inputs + i]) * f64::from(weights[i * outputs + column]))
                .sum()
        };
        let expected: Vec<f64> = (0..rows * outputs)
            .map(|at| sum(at / outputs, at % outputs))
            .collect();
        assert_near(&found, &expected, &format!("{rows} x {inputs} x {outputs}"));
    }
}

#[test]
fn what_is_no_number_stays_none_and_infinity_is_not_hidden() {
    if !available() {
        return eprintln!("not tried: this processor has no tiles");
    }
    let linear = Linear::new(&stored(&numbers(3, 32 * 32)), 32, 32);
    let special = [
        0x7fff_ffff,
        0xffff_ffff,
        0x7f80_0001,
        0x7fc0_0000,
        0x7f80_0000,
    ];
    for special in special.map(f32::from_bits) {
        let mut rows = numbers(4, 2 * 32);
        rows[7] = special;
        let mut found = vec![0.0; 2 * 32];
        linear.apply(&rows, &mut found);
        assert!(
            found[..32].iter().all(|value| !value.is_finite()),
            "{special}"
        );
        assert!(
            found[32..].iter().all(|value| value.is_finite()),
            "the other row has none"
        );
    }
}

/// The convolution by its definition.
fn convolved(
    shape: Shape,
    x: &[f32],
    weights: &[f32],
    [pictures, height, width]: [usize; 3],
) -> Vec<f64> {
    let Shape {
        inputs,
        outputs,
        kernel,
        stride,
        padding,
    } = shape;
    let mut out = Vec::new();
    for picture in 0..pictures {
        for output in 0..outputs {
            for y in 0..shape.output(height) {
                for x_ in 0..shape.output(width) {
                    let mut sum = 0.0;
                    for tap in 0..kernel * kernel {
                        let (row, column) = (y * stride + tap / kernel, x_ * stride + tap % kernel);
                        let (Some(row), Some(column)) =
                            (row.checked_sub(padding), column.checked_sub(padding))
                        else {
                            continue;
                        };
                        if row >= height || column >= width {
                            continue;
                        }
                        for input in 0..inputs {
                            let value =
                                x[((picture * inputs + input) * height + row) * width + column];
                            let weight = weights[(output * inputs + input) * kernel * kernel + tap];
                            sum += f64::from(value) * f64::from(weight);
                        }
                    }
                    out.push(sum);
                }
            }
        }
    }
    out
}

#[test]
fn a_convolution_is_that_of_float32() {
    if !available() {
        return eprintln!("not tried: this processor has no tiles");
    }
    let mut seed = 1;
    for (kernel, stride, padding) in [
        (1, 1, 0),
        (1, 2, 0),
        (3, 1, 1),
        (3, 2, 1),
        (3, 1, 0),
        (2, 2, 1),
        (5, 1, 2),
        (7, 2, 3),
    ] {
        for (inputs, outputs, [pictures, height, width]) in [
            (32, 40, [1, 7, 7]),
            (64, 32, [3, 9, 12]),
            (96, 5, [2, 14, 13]),
            (64, 64, [40, 7, 8]),
        ] {
            seed += 1;
            let shape = Shape {
                inputs,
                outputs,
                kernel,
                stride,
                padding,
            };
            assert!(shape.fits());
            let x = numbers(seed, pictures * inputs * height * width);
            let weights = numbers(seed + 100, outputs * inputs * kernel * kernel);
            let bias = numbers(seed + 200, outputs);
            let area = shape.output(height) * shape.output(width);
            let other = numbers(seed + 300, pictures * outputs * area);
            let sums = convolved(shape, &x, &weights, [pictures, height, width]);
            for (relu, is_added) in [(false, false), (true, true), (true, false)] {
                let mut found = vec![f32::NAN; sums.len()];
                let convolution = Convolution::new(shape, &stored(&weights), bias.clone(), relu);
                convolution.apply(
                    (&x, [pictures, inputs, height, width]),
                    is_added.then_some(&other),
                    &mut found,
                );
                let expected = sums.iter().enumerate().map(|(at, sum)| {
                    let sum = sum
                        + f64::from(bias[at / area % outputs])
                        + if is_added { f64::from(other[at]) } else { 0.0 };
                    if relu { sum.max(0.0) } else { sum }
                });
                assert_near(
                    &found,
                    &expected.collect::<Vec<_>>(),
                    &format!("{shape:?} {pictures} x {height} x {width}"),
                );
            }
        }
    }
}

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
fn run(threads: Option<usize>) -> Vec<f32> {
    let builder = Session::builder(&Runtime::load().unwrap().environment).unwrap();
    let mut builder = builder.with_intra_threads(threads.unwrap_or(1)).unwrap();
    let file = golden("products.onnx");
    let session = match threads {
        None => builder.commit_from_file(file),
        Some(threads) => {
            let faster = faster(&file, threads).unwrap().unwrap();
            let mut builder = builder.with_operators(faster.operators).unwrap();
            builder.commit_from_memory(&faster.model)
        }
    };
    let maps = Tensor::from_array(tensor("maps")).unwrap().into_dyn();
    let result = concurrent::run(&session.unwrap(), &[("maps", maps)], "result").unwrap();
    result.try_extract_tensor::<f32>().unwrap().1.to_vec()
}

#[test]
fn a_model_gives_what_pytorch_gives_and_the_same_by_any_number_of_threads() {
    let (_, expected) = tensor("result");
    let expected: Vec<f64> = expected.iter().map(|value| f64::from(*value)).collect();
    assert_near(&run(None), &expected, "ONNX Runtime alone");
    if !available() {
        return eprintln!("not tried: this processor has no tiles");
    }
    let found = run(Some(1));
    assert_near(&found, &expected, "with products");
    assert_ne!(found, run(None), "the products are in use");
    assert_eq!(found, run(Some(2)));
}

#[test]
fn products_are_taken_out_with_what_follows_them() {
    if !available() {
        return eprintln!("not tried: this processor has no tiles");
    }
    let model = std::fs::read(golden("products.onnx")).unwrap();
    let rewritten = rewrite(&model).unwrap();
    let is_linear = |product: &&Product| matches!(product, Product::Linear(_));
    assert_eq!(rewritten.products.iter().filter(is_linear).count(), 1);
    assert_eq!(rewritten.products.len(), 7);
    // without the weights of 7 products
    assert!(
        20 * rewritten.model.len() < model.len(),
        "{}",
        rewritten.model.len()
    );
    assert!(
        rewrite(&rewritten.model).is_none(),
        "nothing is left to take out"
    );
    assert!(
        rewrite(&model[..model.len() / 2]).is_none(),
        "half a file is no model"
    );
}

#[test]
fn a_model_with_weights_in_a_file_beside_it_is_left_alone() {
    let model = std::fs::read(golden("products.onnx")).unwrap();
    assert!(has_products(&model));
    let mut outside = Vec::new();
    wire::put_bytes(&mut outside, 8, b"beside");
    wire::put_number(&mut outside, 14, 1);
    let mut found = Vec::new();
    for field in wire::fields(&model).unwrap() {
        if field.number != 7 {
            found.extend_from_slice(field.raw);
            continue;
        }
        let mut graph = field.bytes().to_vec();
        wire::put_bytes(&mut graph, 5, &outside);
        wire::put_bytes(&mut found, 7, &graph);
    }
    assert!(!has_products(&found) && rewrite(&found).is_none());
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
    let tiles = match available() {
        true => "CPUExecutionProvider+AMX",
        false => "CPUExecutionProvider",
    };
    assert_eq!(provider(true, "resnet"), tiles);
    assert_eq!(provider(false, "resnet"), "CPUExecutionProvider");
    // all of its linear maps are small
    assert_eq!(provider(true, "bert"), "CPUExecutionProvider");
}
