//! What a head keeps from step to step that is no weight: it is in checkpoints, and nowhere else.

use std::collections::BTreeMap;

/// Numbers by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory(BTreeMap<String, Vec<f32>>);

impl Memory {
    /// Of these numbers.
    pub fn of(values: impl IntoIterator<Item = (String, Vec<f32>)>) -> Self {
        Self(values.into_iter().collect())
    }

    /// All of it, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.0
            .iter()
            .map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// What is kept under a name.
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut [f32]> {
        self.0.get_mut(name).map(Vec::as_mut_slice)
    }

    /// Keeps numbers under a name.
    pub fn set(&mut self, name: &str, values: Vec<f32>) {
        self.0.insert(name.to_owned(), values);
    }
}
