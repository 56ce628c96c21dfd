//! What `metrics.json` says.

use mmfnd_posts::Split;
use serde::{Deserialize, Serialize};

use crate::config::Select;
use crate::fitting::EpochReport;
use crate::scoring::metrics::Metrics;

/// The final figures of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    /// How the epoch was chosen.
    pub selection: Selection,
    /// Of the training posts, at inference.
    pub train: Option<Metrics>,
    /// Of the validation posts, if there are any.
    pub validation: Option<Metrics>,
    /// Of the test posts, if there are any with a label.
    pub test: Option<Metrics>,
    /// Of the test posts at the epoch that is best on them, where they were looked at after each epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_test: Option<BestTest>,
}

/// 12: what choosing the epoch by the test posts would give; optimistic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestTest {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Of the test posts.
    pub metrics: Metrics,
}

impl BestTest {
    /// The most accurate epoch, of equally accurate ones that with the least loss; none unless every epoch was tested.
    pub(crate) fn of(reports: &[EpochReport]) -> Option<Self> {
        let mut best: Option<Self> = None;
        for report in reports {
            let metrics = report.test.clone()?;
            let rank = |metrics: &Metrics| (metrics.accuracy, -metrics.loss);
            if best
                .as_ref()
                .is_none_or(|best| rank(&metrics) > rank(&best.metrics))
            {
                let epoch = report.epoch;
                best = Some(Self { epoch, metrics });
            }
        }
        best
    }
}

impl RunMetrics {
    /// Of a split, if it has labelled posts.
    pub fn of(&self, split: Split) -> Option<&Metrics> {
        match split {
            Split::Train => self.train.as_ref(),
            Split::Validation => self.validation.as_ref(),
            Split::Test => self.test.as_ref(),
        }
    }
}

/// How the epoch was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Of how many that were trained: fewer than were asked for where the last ones were no better.
    pub epochs: usize,
    /// By the accuracy on this split.
    pub by: Select,
    /// Whether that makes the test figures too good.
    pub optimistic: bool,
}
