//! How the weights of each layer lie in a file: as PyTorch's do.

use super::weight::Weights;
use crate::error::WeightsProblem;

/// Where a tensor stands in the module tree.
#[derive(Debug, Default)]
pub(super) struct Place {
    path: Vec<String>,
    containers: Vec<String>,
}

impl Place {
    pub fn enter(&mut self, name: &str, container: &str) {
        self.path.push(name.to_owned());
        self.containers.push(container.to_owned());
    }

    pub fn exit(&mut self) {
        self.path.pop();
        self.containers.pop();
    }

    /// The type of the layer that holds it.
    fn layer(&self) -> &str {
        let container = self.containers.last().map_or("", String::as_str);
        container.rsplit(':').next().unwrap_or(container)
    }
}

/// How the axes of a layer's weights lie in the file.
#[derive(Clone, Copy)]
enum Axes {
    /// The other way round.
    Reversed,
    /// A matrix or a vector for each expert, named as its own.
    OfExperts,
    /// As they lie here.
    Same,
}

/// Every layer that has weights of two axes or more, with how they lie in the file. It is a fact of the layer: of the
/// weight of an embedding, say, the axes stand in the file as they do here.
const LAYOUTS: [(&str, Axes); 7] = [
    ("Linear", Axes::Reversed),
    ("Gate", Axes::Reversed),
    ("Conv", Axes::Reversed),
    ("Gru", Axes::Reversed),
    ("Mkemn", Axes::Reversed), // its memory
    ("ExpertLinear", Axes::OfExperts),
    ("Convolution", Axes::Same),
];

/// How one tensor of ours lies in the file: names, and the shape of each.
#[derive(Debug)]
pub(super) struct Layout {
    pub names: Vec<String>,
    pub shape: Vec<usize>,
    /// Our axes, when those of a file stand the other way round.
    pub reversed: Option<Vec<usize>>,
}

impl Layout {
    /// By the place in the module tree, what its layer declares, and our shape.
    ///
    /// # Panics
    /// For a layer that declares nothing and has a weight of two axes or more.
    pub fn of(place: &Place, shape: &[usize]) -> Self {
        let name = place.path.join(".");
        let layer = place.layer();
        let declared = LAYOUTS.iter().find(|(name, _)| *name == layer);
        match (shape, declared) {
            (&[experts, d_input, d_output], Some((_, Axes::OfExperts))) => {
                let [group @ .., linear, leaf] = place.path.as_slice() else {
                    unreachable!("an expert's weight lies in a group")
                };
                let group = group
                    .iter()
                    .fold(String::new(), |path, part| path + part + ".");
                let name = |expert| format!("{group}experts.{expert}.{linear}.{leaf}");
                let is_bias = leaf == "bias";
                Self {
                    names: (0..experts).map(name).collect(),
                    shape: if is_bias {
                        vec![d_output]
                    } else {
                        vec![d_output, d_input]
                    },
                    reversed: (!is_bias).then_some(vec![d_input, d_output]),
                }
            }
            ([] | [_], _) | (_, Some((_, Axes::Same))) => Self {
                names: vec![name],
                shape: shape.to_vec(),
                reversed: None,
            },
            (_, Some((_, Axes::Reversed))) => Self {
                names: vec![name],
                shape: shape.iter().rev().copied().collect(),
                reversed: Some(shape.to_vec()),
            },
            _ => panic!("`{name}` {shape:?}: its layer `{layer}` declares no such layout"),
        }
    }

    /// The file's, joined to ours.
    pub fn join(&self, weights: &Weights) -> Result<Vec<f32>, WeightsProblem> {
        let mut values = Vec::new();
        for name in &self.names {
            let weight = weights
                .get(name)
                .ok_or_else(|| WeightsProblem::Missing(name.clone()))?;
            if weight.shape != self.shape {
                return Err(WeightsProblem::Shape {
                    name: name.clone(),
                    found: weight.shape.clone(),
                    expected: self.shape.clone(),
                });
            }
            match &self.reversed {
                Some(_) => values.extend(reverse(&weight.values, &self.shape)),
                None => values.extend(&weight.values),
            }
        }
        Ok(values)
    }
}

/// Values with their axes the other way round.
pub(super) fn reverse(values: &[f32], shape: &[usize]) -> Vec<f32> {
    match *shape {
        [rows, columns] => transpose(values, [rows, columns]),
        [first, ref rest @ ..] => {
            let parts: Vec<_> = values
                .chunks_exact(values.len() / first)
                .map(|part| reverse(part, rest))
                .collect();
            (0..values.len())
                .map(|i| parts[i % first][i / first])
                .collect()
        }
        [] => values.to_vec(),
    }
}

/// A matrix of `rows` × `columns` turned over.
pub(crate) fn transpose(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}
