//! `weights.safetensors`: the names and layouts of the PyTorch reference's `state_dict`.
//!
//! A weight's name is its path in the module tree. Two things differ from memory: PyTorch's axes stand the other way
//! round (linear layers are `[out, in]`, convolutions `[out, in, k]`), and the experts of a group, which we hold as one
//! tensor `[E, in, out]`, are `experts.0`, `experts.1`, …, each with matrices and vectors of its own.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};

use super::layout::{Layout, Place};
use super::stored::Stored;
use super::weight::Weights;
use crate::error::WeightsProblem;

/// The weights and running statistics of a module by name.
pub fn named<M: Module>(module: &M) -> Weights {
    read(stored(module))
}

/// The same, to be read when they are written.
pub(crate) fn stored<M: Module>(module: &M) -> Vec<(String, Stored<'static>)> {
    let mut writer = Writer::default();
    module.valid().visit(&mut writer);
    writer.stored
}

fn read(stored: Vec<(String, Stored)>) -> Weights {
    let stored = stored.into_iter();
    stored
        .map(|(name, stored)| (name, stored.weight()))
        .collect()
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
    read(reader.writer.stored)
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

#[derive(Default)]
struct Writer {
    place: Place,
    stored: Vec<(String, Stored<'static>)>,
}

impl Writer {
    fn add<const D: usize>(&mut self, tensor: Tensor<D>) {
        let layout = Layout::of(&self.place, &tensor.dims());
        let parts = Stored::parts(layout, tensor.reshape([-1]));
        self.stored.extend(parts);
    }
}

impl ModuleVisitor for Writer {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.add(param.val());
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
            self.writer.add(gradient);
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
