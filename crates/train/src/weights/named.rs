//! `weights.safetensors`: the names and layouts of the PyTorch reference's `state_dict`.
//!
//! A weight's name is its path in the module tree. Two things differ from memory: PyTorch's axes stand the other way
//! round (linear layers are `[out, in]`, convolutions `[out, in, k]`), and the experts of a group, which we hold as one
//! tensor `[E, in, out]`, are `experts.0`, `experts.1`, …, each with matrices and vectors of its own.

use std::cell::Cell;
use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};

use crate::error::WeightsProblem;

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

/// The weights and running statistics of a module by name.
pub fn named<M: Module>(module: &M) -> Weights {
    let mut writer = Writer::default();
    module.valid().visit(&mut writer);
    writer.weights
}

/// What [`named`] names is set; a missing, unknown or misshapen weight is an error.
pub fn load<M: Module>(module: M, weights: &Weights) -> Result<M, WeightsProblem> {
    let mut reader = Reader {
        place: Place::default(),
        weights,
        used: 0,
        problem: None,
    };
    let module = module.map(&mut reader);
    if let Some(problem) = reader.problem {
        return Err(problem);
    }
    if reader.used < weights.len() {
        let known = named(&module);
        let unknown = weights.keys().find(|name| !known.contains_key(*name));
        let unknown = unknown.expect("more names in the file than in the module");
        return Err(WeightsProblem::Unknown(unknown.clone()));
    }
    Ok(module)
}

/// The gradients of a module's weights by name, laid out as the weights are.
pub fn gradients<M: Module>(module: &M, gradients: &[Gradients]) -> Weights {
    let mut reader = GradientReader {
        writer: Writer::default(),
        gradients,
    };
    module.visit(&mut reader);
    reader.writer.weights
}

/// The gradient of a weight that is trained: the sum of those in all containers, since a weight that is used on both
/// sides of a cut has a part in each.
pub(crate) fn gradient<const D: usize>(
    weight: &Tensor<D>,
    gradients: &[Gradients],
) -> Option<Tensor<D>> {
    let trained = gradients.iter().filter(|_| weight.is_require_grad());
    let parts = trained.filter_map(|gradients| weight.grad(gradients));
    parts.reduce(|sum, part| sum + part)
}

/// Where a tensor stands in the module tree.
#[derive(Debug, Default)]
struct Place {
    path: Vec<String>,
    containers: Vec<String>,
}

impl Place {
    fn enter(&mut self, name: &str, container: &str) {
        self.path.push(name.to_owned());
        self.containers.push(container.to_owned());
    }

    fn exit(&mut self) {
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
struct Layout {
    names: Vec<String>,
    shape: Vec<usize>,
    /// Our axes, when those of a file stand the other way round.
    reversed: Option<Vec<usize>>,
}

impl Layout {
    /// By the place in the module tree, what its layer declares, and our shape.
    ///
    /// # Panics
    /// For a layer that declares nothing and has a weight of two axes or more.
    fn of(place: &Place, shape: &[usize]) -> Self {
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

    /// Ours, cut into the file's.
    fn split(self, values: &[f32]) -> impl Iterator<Item = (String, Weight)> {
        let length = values.len() / self.names.len();
        let parts: Vec<_> = values
            .chunks_exact(length)
            .map(|part| self.to_file(part))
            .collect();
        self.names.into_iter().zip(parts)
    }

    fn to_file(&self, part: &[f32]) -> Weight {
        Weight {
            shape: self.shape.clone(),
            values: match &self.reversed {
                Some(shape) => reverse(part, shape),
                None => part.to_vec(),
            },
        }
    }

    /// The file's, joined to ours.
    fn join(&self, weights: &Weights) -> Result<Vec<f32>, WeightsProblem> {
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
fn reverse(values: &[f32], shape: &[usize]) -> Vec<f32> {
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

thread_local!(static READS: Cell<u64> = const { Cell::new(0) });

/// How often this thread has read the values of a tensor so far. On a card each time it waits until all that the card
/// was told is computed.
pub fn reads() -> u64 {
    READS.get()
}

/// The values of a tensor, in our layout.
pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    READS.set(READS.get() + 1);
    let values = tensor.into_data().convert::<f32>().try_into_vec();
    values.expect("converted to the type that is asked for")
}

#[derive(Default)]
struct Writer {
    place: Place,
    weights: Weights,
}

impl ModuleVisitor for Writer {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let layout = Layout::of(&self.place, &tensor.dims());
        self.weights.extend(layout.split(&numbers(tensor)));
    }
}

struct GradientReader<'a> {
    writer: Writer,
    gradients: &'a [Gradients],
}

impl ModuleVisitor for GradientReader<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.writer.enter_module(name, container);
    }

    fn exit_module(&mut self, name: &str, container: &str) {
        self.writer.exit_module(name, container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = gradient(&param.val(), self.gradients) {
            let layout = Layout::of(&self.writer.place, &gradient.dims());
            self.writer.weights.extend(layout.split(&numbers(gradient)));
        }
    }
}

struct Reader<'a> {
    place: Place,
    weights: &'a Weights,
    used: usize,
    problem: Option<WeightsProblem>,
}

impl ModuleMapper for Reader<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.val().dims();
        let layout = Layout::of(&self.place, &shape);
        self.used += layout.names.len();
        match layout.join(self.weights) {
            Ok(values) => replace(param, values),
            Err(problem) => {
                self.problem.get_or_insert(problem);
                param
            }
        }
    }
}

/// Other values in a parameter; whether it is trained stays as it was.
pub(crate) fn replace<const D: usize>(
    param: Param<Tensor<D>>,
    values: Vec<f32>,
) -> Param<Tensor<D>> {
    param.map(|old| {
        let data = TensorData::new(values, old.dims());
        Tensor::from_data(data, &old.device()).set_require_grad(old.is_require_grad())
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// As wide as an embedding's, of a layer that says nothing of it.
    #[derive(Module, Debug)]
    struct Undeclared {
        weight: Param<Tensor<2>>,
    }

    #[test]
    #[should_panic(expected = "its layer `Undeclared` declares no such layout")]
    fn a_matrix_of_a_layer_that_declares_no_layout_is_not_guessed() {
        let weight = Tensor::<2>::zeros([3, 2], &Device::flex());
        named(&Undeclared {
            weight: Param::from_tensor(weight),
        });
    }
}
