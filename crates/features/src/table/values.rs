//! Values at the precision at which they are stored.

use half::f16;
use half::slice::HalfFloatSliceExt;
use half::vec::HalfBitsVecExt;

use crate::Error;
use crate::identity::{EncoderSpec, Key, ValueType};

/// Rows of features in memory, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 16-bit floats.
    F16(Vec<f16>),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies `out.len()` values from `start` on.
    ///
    /// # Panics
    /// When there are not that many.
    pub fn copy_to(&self, start: usize, out: &mut [f32]) {
        match self {
            Self::F32(values) => out.copy_from_slice(&values[start..start + out.len()]),
            Self::F16(values) => values[start..start + out.len()].convert_to_f32_slice(out),
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
    /// Fills the values from `start` on from the bytes of a file; the error is the position in `bytes` of a value that
    /// is no number.
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

/// The first value for which `is_wrong`; without a branch a value as long as there is none, as it is in almost every
/// row.
fn position<T>(values: &[T], is_wrong: impl Fn(&T) -> bool) -> Option<usize> {
    let any = values
        .iter()
        .fold(false, |any, value| any | is_wrong(value));
    any.then(|| values.iter().position(is_wrong)).flatten()
}

/// A value that cannot be used, as an error.
pub(crate) fn wrong_value(
    spec: &EncoderSpec,
    key: Key,
    index: usize,
    value: f32,
    problem: &str,
) -> Error {
    Error::Value {
        post: None,
        encoder: spec.name.clone(),
        key,
        index,
        value,
        problem: problem.to_owned(),
    }
}
