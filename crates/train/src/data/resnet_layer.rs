//! ResNet's own classification layer, which comes with its features and is trained on (difference 10).

use mmfnd_features::Features;

use crate::Error;
use crate::error::WeightsProblem;
use crate::weights::file;
use crate::weights::{Weight, transpose};

/// The layer, laid out as ours are.
#[derive(Clone, Debug)]
pub(crate) struct ResnetLayer {
    /// Outputs.
    pub classes: usize,
    /// `[D, classes]`, row by row.
    pub weight: Vec<f32>,
    /// `[classes]`
    pub bias: Vec<f32>,
}

impl ResnetLayer {
    /// That of the encoder `resnet`; `None` where it comes without one.
    pub fn of(features: &Features) -> Result<Option<Self>, Error> {
        let index = features.specs.iter().position(|spec| spec.name == "resnet");
        let Some((spec, Some(path))) =
            index.map(|index| (&features.specs[index], &features.classifiers[index]))
        else {
            return Ok(None);
        };
        let (mut weights, _) = file::read(path)?;
        let problem = |problem| file::problem(path, problem);
        let mut take = |name: &str| {
            let weight = weights.remove(name);
            weight.ok_or_else(|| problem(WeightsProblem::Missing(name.to_owned())))
        };
        let (weight, bias) = (take("weight")?, take("bias")?);
        let classes = bias.values.len();
        let fits =
            |name: &str, weight: &Weight, expected: Vec<usize>| match weight.shape == expected {
                true => Ok(()),
                false => Err(problem(WeightsProblem::Shape {
                    name: name.to_owned(),
                    found: weight.shape.clone(),
                    expected,
                })),
            };
        fits("weight", &weight, vec![classes, spec.width()])?;
        fits("bias", &bias, vec![classes])?;
        Ok(Some(Self {
            classes,
            weight: transpose(&weight.values, [classes, spec.width()]),
            bias: bias.values,
        }))
    }
}
