//! What the losses that a head names came to over an epoch.

use std::collections::BTreeMap;
use std::iter;

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
    /// By name. All are joined on their device and read at once.
    pub(crate) fn of<'a>(losses: impl Iterator<Item = &'a LossTerm>) -> BTreeMap<String, Self> {
        let losses: Vec<_> = losses.collect();
        if losses.is_empty() {
            return BTreeMap::new();
        }
        let tensors = losses.iter().flat_map(|loss| {
            let right = loss.hits.as_ref().map(|(right, _)| right);
            iter::once(&loss.value).chain(right).cloned()
        });
        let values = numbers(Tensor::cat(tensors.collect(), 0));
        let mut values = values.into_iter().map(f64::from);
        let mut next = || values.next().expect("a number for each tensor");
        let mut all: BTreeMap<&str, Sums> = BTreeMap::new();
        for loss in losses {
            let sums = all.entry(loss.name).or_default();
            sums.steps += 1.0;
            sums.loss += next();
            if let Some((_, of)) = &loss.hits {
                sums.right += next();
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
