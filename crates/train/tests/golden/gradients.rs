//! Gradients of a module's weights by PyTorch's names and in its layout: `[out, in]`, experts one by one.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use mmfnd_train::weights::{Weight, Weights};

use crate::file::numbers;

/// The gradients of the weights that have one.
pub fn gradients<M: Module>(module: &M, gradients: &[Gradients]) -> Weights {
    let mut collector = Collector {
        path: Vec::new(),
        gradients,
        found: Weights::new(),
    };
    module.visit(&mut collector);
    collector.found
}

struct Collector<'a> {
    path: Vec<String>,
    gradients: &'a [Gradients],
    found: Weights,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut all = self.gradients.iter();
        if let Some(gradient) = all.find_map(|all| param.val().grad(all)) {
            let names = names(&self.path, &gradient.dims());
            self.found.extend(names.into_iter().zip(to_torch(gradient)));
        }
    }
}

/// Names of one of our tensors in PyTorch: itself, or one for each expert.
fn names(path: &[String], shape: &[usize]) -> Vec<String> {
    match (shape, path) {
        ([experts, _, _], [group @ .., layer, name]) => {
            let expert = |e: usize| ["experts".to_owned(), e.to_string()];
            let one = |e| [group, &expert(e), &[layer.clone(), name.clone()]].concat();
            (0..*experts).map(|e| one(e).join(".")).collect()
        }
        _ => vec![path.join(".")],
    }
}

/// One tensor of ours as PyTorch's, in the order of [`names`].
fn to_torch<const D: usize>(tensor: Tensor<D>) -> Vec<Weight> {
    let shape = tensor.dims().to_vec();
    let values = numbers(tensor);
    match shape[..] {
        [rows, columns] => vec![transposed(&values, rows, columns)],
        [_, 1, d] => values.chunks(d).map(|bias| vector(bias.to_vec())).collect(),
        [_, rows, columns] => {
            let experts = values.chunks(rows * columns);
            experts
                .map(|expert| transposed(expert, rows, columns))
                .collect()
        }
        _ => vec![vector(values)],
    }
}

fn vector(values: Vec<f32>) -> Weight {
    Weight {
        shape: vec![values.len()],
        values,
    }
}

fn transposed(values: &[f32], rows: usize, columns: usize) -> Weight {
    let at = |i: usize| values[i % rows * columns + i / rows];
    Weight {
        shape: vec![columns, rows],
        values: (0..values.len()).map(at).collect(),
    }
}
