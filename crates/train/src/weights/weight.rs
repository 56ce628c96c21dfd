//! A weight off the device, as files hold it.

use std::collections::BTreeMap;

/// Shape and values of one weight, laid out as PyTorch does.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
}

/// Weights by name.
pub type Weights = BTreeMap<String, Weight>;
