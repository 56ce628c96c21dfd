//! Where a training stands: the weights, the optimiser, and the best epoch so far.

use burn::module::Module;

use crate::heads::Memory;
use crate::optim::AdamW;
use crate::scoring::metrics::Metrics;

/// Where a training stands.
#[derive(Debug)]
pub(crate) struct State<H> {
    pub head: H,
    pub optimizer: AdamW,
    pub memory: Memory,
    /// Epochs done.
    pub epoch: usize,
    /// Steps done.
    pub step: u64,
    pub best: Option<Best<H>>,
}

/// The best epoch so far, with its weights for inference.
#[derive(Debug)]
pub(crate) struct Best<H> {
    pub epoch: usize,
    pub accuracy: f64,
    pub loss: f64,
    pub head: H,
}

impl<H: Module> State<H> {
    /// More accurate, or as accurate with less loss; of equal epochs the earlier one stays.
    pub fn keep_if_best(&mut self, metrics: &Metrics) -> bool {
        let is_better = self
            .best
            .as_ref()
            .is_none_or(|best| (metrics.accuracy, -metrics.loss) > (best.accuracy, -best.loss));
        if is_better {
            self.best = Some(Best {
                epoch: self.epoch,
                accuracy: metrics.accuracy,
                loss: metrics.loss,
                head: self.head.valid(),
            });
        }
        is_better
    }
}
