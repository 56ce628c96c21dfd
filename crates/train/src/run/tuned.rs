//! The ResNet of a run as a model of its own: what takes the place of which weights, and the files to train on from.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};

use super::dir::RunDir;
use crate::Error;
use crate::error::WeightsProblem;
use crate::weights::{Weight, Weights, file};

/// What torchvision's norms add to a variance.
const EPSILON: f32 = 1e-5;

/// A ResNet before and after a run.
#[derive(Debug)]
pub struct TunedResnet {
    /// Weight and bias of each convolution with its norm folded in, before and after.
    pub convolutions: Vec<[[Vec<f32>; 2]; 2]>,
    /// Its weights as a safetensors file, under torchvision's names.
    pub weights: Vec<u8>,
    /// The classification layer of the head, where it has one, as a safetensors file.
    pub classifier: Option<Vec<u8>>,
}

impl TunedResnet {
    /// Of a finished run that trained a ResNet whose weights are in this file.
    pub fn of(run: &Path, base: &Path) -> Result<Self, Error> {
        let run = RunDir::open(run)?;
        run.metrics()?; // an unfinished run is an error
        if run.config()?.online().is_none() {
            return Err(run.problem("trained no ResNet; `mmfnd train --online-resnet` does"));
        }
        let (before, layout) = file::read(base)?;
        let (mut trained, _) = file::read(&run.weights())?;
        let mut after = before.clone();
        for (name, weight) in &mut after {
            let Some(own) = trained.remove(&format!("backbone.{name}")) else {
                continue; // it was frozen
            };
            if own.shape != weight.shape {
                return Err(file::problem(
                    &run.weights(),
                    WeightsProblem::Shape {
                        name: name.clone(),
                        found: own.shape,
                        expected: weight.shape.clone(),
                    },
                ));
            }
            *weight = own;
        }
        if let Some(other) = trained.keys().find(|name| name.starts_with("backbone.")) {
            let unknown = WeightsProblem::Unknown(other.clone());
            return Err(file::problem(&run.weights(), unknown));
        }
        let names = before.keys().filter(|name| before[*name].shape.len() == 4);
        let convolutions = names.map(|name| {
            let folded = |weights| fold(weights, name);
            let pair = folded(&before).and_then(|was| Ok([was, folded(&after)?]));
            pair.map_err(|missing| file::problem(base, WeightsProblem::Missing(missing)))
        });
        let classifier = ["weight", "bias"].map(|name| {
            let weight = trained.remove(&format!("head.resnet.{name}"))?;
            Some((name.to_owned(), weight))
        });
        let [weight, bias] = classifier;
        let classifier = weight
            .zip(bias)
            .map(|(weight, bias)| Weights::from([weight, bias]));
        Ok(Self {
            convolutions: convolutions.collect::<Result<_, _>>()?,
            weights: bytes(&after, layout.as_deref()),
            classifier: classifier.map(|layer| bytes(&layer, None)),
        })
    }
}

/// A convolution with its norm folded in; `Err` names a weight that is missing.
fn fold(weights: &Weights, name: &str) -> Result<[Vec<f32>; 2], String> {
    let stem = name.trim_end_matches(".weight");
    let norm = match stem.strip_suffix("downsample.0") {
        Some(block) => format!("{block}downsample.1"),
        None => stem.replace("conv", "bn"),
    };
    let of = |what: &str| {
        let name = format!("{norm}.{what}");
        let weight = weights.get(&name).map(|weight| weight.values.as_slice());
        weight.ok_or(name)
    };
    let (gain, shift) = (of("weight")?, of("bias")?);
    let (mean, variance) = (of("running_mean")?, of("running_var")?);
    let Weight { shape, values } = &weights[name];
    let mut weight = values.clone();
    let mut bias = Vec::with_capacity(shape[0]);
    for (channel, values) in weight.chunks_exact_mut(values.len() / shape[0]).enumerate() {
        let scale = gain[channel] / (variance[channel] + EPSILON).sqrt();
        values.iter_mut().for_each(|value| *value *= scale);
        bias.push(shift[channel] - mean[channel] * scale);
    }
    Ok([weight, bias])
}

/// As a safetensors file, with what it says beside the weights.
fn bytes(weights: &Weights, about: Option<&str>) -> Vec<u8> {
    let bytes = |weight: &Weight| -> Vec<u8> {
        let values = weight.values.iter().copied();
        values.flat_map(f32::to_le_bytes).collect()
    };
    let bytes: HashMap<_, _> = weights
        .iter()
        .map(|(name, one)| (name, bytes(one)))
        .collect();
    let views = weights.iter().map(|(name, weight)| {
        let view = TensorView::new(Dtype::F32, weight.shape.clone(), &bytes[name]);
        (name.as_str(), view.expect("the values fill the shape"))
    });
    let about = about.map(|about| HashMap::from([("about".to_owned(), about.to_owned())]));
    serialize(views, about).expect("names and shapes that were read before")
}
