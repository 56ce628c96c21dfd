//! The classification layer that comes with an encoder's features: ResNet's, which is trained on (difference 10), or
//! one whose outputs a head reads.

use mmfnd_features::Features;

use super::columns::VGG;
use crate::Error;
use crate::error::WeightsProblem;
use crate::weights::file;
use crate::weights::{Weight, transpose};

/// The layer, laid out as ours are.
#[derive(Clone, Debug)]
pub(crate) struct ClassLayer {
    /// Whose it is.
    pub encoder: &'static str,
    /// Outputs.
    pub classes: usize,
    /// `[D, classes]`, row by row.
    pub weight: Vec<f32>,
    /// `[classes]`
    pub bias: Vec<f32>,
}

impl ClassLayer {
    /// That of an encoder; `None` where it comes without one.
    pub fn of(features: &Features, encoder: &'static str) -> Result<Option<Self>, Error> {
        let index = features.specs.iter().position(|spec| spec.name == encoder);
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
            encoder,
            classes,
            weight: transpose(&weight.values, [classes, spec.width()]),
            bias: bias.values,
        }))
    }
    /// Whether it reads the features through a ReLU: VGG-19's are those before it.
    pub fn is_after_relu(&self) -> bool {
        self.encoder == VGG
    }
}
