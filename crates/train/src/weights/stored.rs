//! Values on their way into a file, which are made when their turn comes: a copy of one tensor at a time.

use std::borrow::Cow;

use burn::tensor::Tensor;
use safetensors::{Dtype, View};

use super::layout::{Layout, reverse};
use super::numbers::numbers;
use super::weight::Weight;

/// One tensor of a file.
#[derive(Clone, Debug)]
pub(crate) struct Stored<'a> {
    shape: Vec<usize>,
    values: Values<'a>,
}

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a few hundred at most")]
enum Values<'a> {
    Here(&'a [f32]),
    /// A part of a weight, and its axes where those of a file stand the other way round.
    Part {
        weight: Tensor<1>,
        at: usize,
        reversed: Option<Vec<usize>>,
    },
}

impl<'a> Stored<'a> {
    /// One row of values.
    pub fn row(values: &'a [f32]) -> Self {
        Self {
            shape: vec![values.len()],
            values: Values::Here(values),
        }
    }

    /// The same, of a tensor.
    pub fn of(weight: Tensor<1>) -> Self {
        Self {
            shape: weight.dims().to_vec(),
            values: Values::Part {
                weight,
                at: 0,
                reversed: None,
            },
        }
    }

    /// What a weight is in a file, by name.
    pub(super) fn parts(layout: Layout, weight: Tensor<1>) -> impl Iterator<Item = (String, Self)> {
        let Layout {
            names,
            shape,
            reversed,
        } = layout;
        let length: usize = shape.iter().product();
        let part = move |(number, name): (usize, String)| {
            let values = Values::Part {
                weight: weight.clone(),
                at: number * length,
                reversed: reversed.clone(),
            };
            let shape = shape.clone();
            (name, Self { shape, values })
        };
        names.into_iter().enumerate().map(part)
    }

    /// Read now.
    pub fn weight(&self) -> Weight {
        Weight {
            shape: self.shape.clone(),
            values: self.values().into_owned(),
        }
    }

    fn length(&self) -> usize {
        self.shape.iter().product()
    }

    fn values(&self) -> Cow<'_, [f32]> {
        match &self.values {
            Values::Here(values) => Cow::Borrowed(*values),
            Values::Part {
                weight,
                at,
                reversed,
            } => {
                let values = numbers(weight.clone().slice(*at..at + self.length()));
                Cow::Owned(match reversed {
                    Some(axes) => reverse(&values, axes),
                    None => values,
                })
            }
        }
    }
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.values();
        Cow::Owned(values.iter().copied().flat_map(f32::to_le_bytes).collect())
    }

    fn data_len(&self) -> usize {
        4 * self.length()
    }
}
