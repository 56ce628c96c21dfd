//! Values at the precision at which they are stored.

use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;
use half::vec::HalfBitsVecExt;

use crate::read::disk_rows::DiskRows;
use crate::{EncoderSpec, Key, ValueType};

/// Rows of features, one after the other.
#[derive(Clone, Debug)]
pub enum Values {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 16-bit floats.
    F16(Vec<f16>),
    /// On the disk, read row by row.
    Disk(Arc<DiskRows>),
}

impl PartialEq for Values {
    /// Values on the disk are equal only to themselves.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::F32(a), Self::F32(b)) => a == b,
            (Self::F16(a), Self::F16(b)) => a == b,
            (Self::Disk(a), Self::Disk(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
            Self::Disk(rows) => rows.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies `out.len()` values from `start` on.
    ///
    /// # Panics
    /// When there are not that many, or they are on the disk.
    pub fn copy_to(&self, start: usize, out: &mut [f32]) {
        match self {
            Self::F32(values) => out.copy_from_slice(&values[start..start + out.len()]),
            Self::F16(values) => values[start..start + out.len()].convert_to_f32_slice(out),
            Self::Disk(_) => panic!("values on the disk are read by rows"),
        }
    }

    /// `values` at the precision `kind`; the error is the index of one that is too large for it.
    pub(crate) fn round(values: &[f32], kind: ValueType) -> Result<Self, usize> {
        if kind == ValueType::F32 {
            return Ok(Self::F32(values.to_vec()));
        }
        let mut rounded = vec![0u16; values.len()].reinterpret_into::<f16>();
        rounded.convert_from_f32_slice(values);
        match rounded.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(index),
            None => Ok(Self::F16(rounded)),
        }
    }

    /// Zeros; memory that was never touched is not paid for.
    pub(crate) fn zeros(kind: ValueType, len: usize) -> Self {
        match kind {
            ValueType::F32 => Self::F32(vec![0.0; len]),
            ValueType::F16 => Self::F16(vec![0u16; len].reinterpret_into()),
        }
    }

    /// The parts of `lengths` values each.
    pub(crate) fn split_mut(&mut self, lengths: &[usize]) -> Vec<ValuesMut<'_>> {
        match self {
            Self::F32(values) => {
                let parts = split(values, lengths).into_iter();
                parts.map(ValuesMut::F32).collect()
            }
            Self::F16(values) => {
                let parts = split(values, lengths).into_iter();
                parts.map(ValuesMut::F16).collect()
            }
            Self::Disk(_) => unreachable!("values on the disk are not filled"),
        }
    }
}

fn split<'a, T>(mut values: &'a mut [T], lengths: &[usize]) -> Vec<&'a mut [T]> {
    let mut parts = Vec::with_capacity(lengths.len());
    for &length in lengths {
        let (part, rest) = values.split_at_mut(length);
        parts.push(part);
        values = rest;
    }
    parts
}

/// A part of [`Values`] that is being filled.
pub(crate) enum ValuesMut<'a> {
    F32(&'a mut [f32]),
    F16(&'a mut [f16]),
}

impl ValuesMut<'_> {
    /// Fills the values from `start` on from the bytes of a file; the error is the position in `bytes` of a value that is no number.
    pub(crate) fn fill(&mut self, start: usize, bytes: &[u8]) -> Result<(), (usize, f32)> {
        match self {
            Self::F32(values) => {
                let (chunks, _) = bytes.as_chunks::<4>();
                let target = &mut values[start..start + chunks.len()];
                for (value, chunk) in target.iter_mut().zip(chunks) {
                    *value = f32::from_le_bytes(*chunk);
                }
                let is_wrong = |value: &f32| !value.is_finite();
                let wrong = position(target, is_wrong);
                wrong.map_or(Ok(()), |index| Err((index, target[index])))
            }
            Self::F16(values) => {
                let (chunks, _) = bytes.as_chunks::<2>();
                let target = &mut values[start..start + chunks.len()];
                for (value, chunk) in target.iter_mut().zip(chunks) {
                    *value = f16::from_le_bytes(*chunk);
                }
                let is_wrong = |value: &f16| !value.is_finite();
                let wrong = position(target, is_wrong);
                wrong.map_or(Ok(()), |index| Err((index, target[index].to_f32())))
            }
        }
    }
}

/// The first value for which `is_wrong`; without a branch a value as long as there is none, as it is in almost every row.
fn position<T>(values: &[T], is_wrong: impl Fn(&T) -> bool) -> Option<usize> {
    let any = values
        .iter()
        .fold(false, |any, value| any | is_wrong(value));
    any.then(|| values.iter().position(is_wrong)).flatten()
}

/// The features of one encoder for some posts.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Shape of one row.
    pub shape: Vec<usize>,
    /// Distinct rows.
    pub values: Values,
    /// Each post's row among them; [`Column::NONE`] where the post has no usable picture.
    pub row: Vec<u32>,
}

impl Column {
    /// Stands for "no row".
    pub const NONE: u32 = u32::MAX;

    /// Values in a row.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// How many distinct rows there are.
    pub fn rows(&self) -> usize {
        self.values.len() / self.width()
    }

    /// Whether its rows are read from the disk when they are asked for.
    pub fn is_on_disk(&self) -> bool {
        matches!(self.values, Values::Disk(_))
    }

    /// The row of a post, if it has one.
    pub fn row_of(&self, post: usize) -> Option<usize> {
        let row = self.row[post];
        (row != Self::NONE).then_some(row as usize)
    }

    /// Copies a post's values, or zeros where it has none; says whether it has. Only reading from the disk can fail.
    ///
    /// # Panics
    /// When `out` is not [`Column::width`] long.
    pub fn read_row(&self, post: usize, out: &mut [f32]) -> Result<bool, crate::Error> {
        assert_eq!(out.len(), self.width(), "a row has another width");
        match (self.row_of(post), &self.values) {
            (Some(row), Values::Disk(rows)) => rows.read(row, out)?,
            (Some(row), values) => values.copy_to(row * out.len(), out),
            (None, _) => out.fill(0.0),
        }
        Ok(self.row[post] != Self::NONE)
    }

    /// As [`Column::read_row`], of values in memory.
    ///
    /// # Panics
    /// When `out` is not [`Column::width`] long, or the values are on the disk and cannot be read.
    pub fn copy_row(&self, post: usize, out: &mut [f32]) -> bool {
        self.read_row(post, out)
            .expect("values in memory can be read")
    }
}

/// A value that cannot be used, as an error.
pub(crate) fn wrong_value(
    spec: &EncoderSpec,
    key: Key,
    index: usize,
    value: f32,
    problem: &str,
) -> crate::Error {
    crate::Error::Value {
        post: None,
        encoder: spec.name.clone(),
        key,
        index,
        value,
        problem: problem.to_owned(),
    }
}
