//! The products against the same sums in float64, and which of a model's nodes are taken out of it.

use std::path::{Path, PathBuf};

use crate::arithmetic::Arithmetic;
use crate::convolution::Convolution;
use crate::linear::Linear;
use crate::model::{has_products, rewrite};
use crate::planes::Shape;
use crate::product::Product;
use crate::protobuf;

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

/// The bfloat16 next to each number.
fn rounded(numbers: &[f32]) -> Vec<f32> {
    let nearest = |bits: u32| f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000);
    numbers
        .iter()
        .map(|number| nearest(number.to_bits()))
        .collect()
}

/// What is multiplied: such numbers, or those that they are rounded to.
fn operands(arithmetic: Arithmetic, numbers: Vec<f32>) -> Vec<f32> {
    match arithmetic {
        Arithmetic::Float32 => numbers,
        Arithmetic::Bfloat16 => rounded(&numbers),
    }
}

#[test]
#[cfg_attr(not(has_tiles), ignore = "this processor has no matrix tiles")]
fn a_linear_map_is_that_of_float32() {
    compare_linear_maps(Arithmetic::Float32);
}

#[test]
#[cfg_attr(
    not(has_bfloat16),
    ignore = "this processor has no instructions for bfloat16"
)]
fn a_linear_map_in_bfloat16_rounds_its_operands_and_nothing_else() {
    compare_linear_maps(Arithmetic::Bfloat16);
}

fn compare_linear_maps(arithmetic: Arithmetic) {
    for (rows, inputs, outputs) in [
        (1, 32, 1),
        (33, 96, 70),
        (64, 768, 64),
        (700, 3072, 40),
        (5, 512, 2048),
    ] {
        let (x, weights) = (numbers(1, rows * inputs), numbers(2, inputs * outputs));
        let mut found = vec![f32::NAN; rows * outputs];
        Linear::new(arithmetic, &stored(&weights), (inputs, outputs)).apply(&x, &mut found);
        let (x, weights) = (operands(arithmetic, x), operands(arithmetic, weights));
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
#[cfg_attr(not(has_tiles), ignore = "this processor has no matrix tiles")]
fn what_is_no_number_stays_none_and_infinity_is_not_hidden() {
    try_what_is_no_number(Arithmetic::Float32);
}

#[test]
#[cfg_attr(
    not(has_bfloat16),
    ignore = "this processor has no instructions for bfloat16"
)]
fn what_is_no_number_stays_none_in_bfloat16_too() {
    try_what_is_no_number(Arithmetic::Bfloat16);
}

fn try_what_is_no_number(arithmetic: Arithmetic) {
    let linear = Linear::new(arithmetic, &stored(&numbers(3, 32 * 32)), (32, 32));
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
#[cfg_attr(not(has_tiles), ignore = "this processor has no matrix tiles")]
fn a_convolution_is_that_of_float32() {
    compare_convolutions(Arithmetic::Float32);
}

#[test]
#[cfg_attr(
    not(has_bfloat16),
    ignore = "this processor has no instructions for bfloat16"
)]
fn a_convolution_in_bfloat16_rounds_its_operands_and_nothing_else() {
    compare_convolutions(Arithmetic::Bfloat16);
}

fn compare_convolutions(arithmetic: Arithmetic) {
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
            let operands = |numbers: &[f32]| operands(arithmetic, numbers.to_vec());
            let sums = convolved(
                shape,
                &operands(&x),
                &operands(&weights),
                [pictures, height, width],
            );
            for (relu, is_added) in [(false, false), (true, true), (true, false)] {
                let mut found = vec![f32::NAN; sums.len()];
                let weights = stored(&weights);
                let convolution =
                    Convolution::new(arithmetic, (shape, &weights), bias.clone(), relu);
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

#[test]
#[cfg_attr(
    not(has_bfloat16),
    ignore = "this processor has no instructions for bfloat16"
)]
fn products_are_taken_out_with_what_follows_them() {
    let model = std::fs::read(golden("products.onnx")).unwrap();
    let rewritten = rewrite(&model, Arithmetic::Bfloat16).unwrap();
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
        rewrite(&rewritten.model, Arithmetic::Bfloat16).is_none(),
        "nothing is left to take out"
    );
    assert!(
        rewrite(&model[..model.len() / 2], Arithmetic::Bfloat16).is_none(),
        "half a file is no model"
    );
}

#[test]
fn a_model_with_weights_in_a_file_beside_it_is_left_alone() {
    let model = std::fs::read(golden("products.onnx")).unwrap();
    assert!(has_products(&model));
    let mut outside = Vec::new();
    protobuf::put_bytes(&mut outside, 8, b"beside");
    protobuf::put_number(&mut outside, 14, 1);
    let mut found = Vec::new();
    for field in protobuf::fields(&model).unwrap() {
        if field.number != 7 {
            found.extend_from_slice(field.raw);
            continue;
        }
        let mut graph = field.bytes().to_vec();
        protobuf::put_bytes(&mut graph, 5, &outside);
        protobuf::put_bytes(&mut found, 7, &graph);
    }
    assert!(!has_products(&found) && rewrite(&found, Arithmetic::Bfloat16).is_none());
}
