//! What the losses that a head names came to over an epoch.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::heads::LossTerm;
use crate::weights::numbers;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossReport {
    /// Mean over the steps that had it.
    pub loss: f64,
    /// Share of the choices that were right, where it is a loss of choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
}

impl LossReport {
    /// By name.
    pub(crate) fn of<'a>(losses: impl Iterator<Item = &'a LossTerm>) -> BTreeMap<String, Self> {
        let mut all: BTreeMap<&str, Sums> = BTreeMap::new();
        for loss in losses {
            let sums = all.entry(loss.name).or_default();
            sums.steps += 1.0;
            sums.loss += number(&loss.value);
            if let Some((right, of)) = &loss.hits {
                sums.right += number(right);
                sums.choices += *of as f64;
            }
        }
        let report = |(name, sums): (&str, Sums)| (name.to_owned(), sums.report());
        all.into_iter().map(report).collect()
    }
}

#[derive(Default)]
struct Sums {
    steps: f64,
    loss: f64,
    right: f64,
    choices: f64,
}

impl Sums {
    fn report(self) -> LossReport {
        LossReport {
            loss: self.loss / self.steps,
            accuracy: (self.choices > 0.0).then(|| self.right / self.choices),
        }
    }
}

fn number(tensor: &Tensor<1>) -> f64 {
    f64::from(numbers(tensor.clone())[0])
}
