//! How far a stage is.

use std::time::Instant;

use super::work::{Stage, StageResult, area};
use crate::plan::MissingContent;
use crate::progress::{Progress, Share, weighted_time_to_go};

/// How much there is to do, and how much of it is done.
pub(crate) struct StageProgress {
    pub(crate) started: Instant,
    total: usize,
    total_area: u64,
    pub(crate) done_area: u64,
    total_weight: u64,
}

impl StageProgress {
    pub(crate) fn new(batches: &[Vec<MissingContent>]) -> Self {
        Self {
            started: Instant::now(),
            total: batches.iter().map(Vec::len).sum(),
            total_area: batches.iter().map(|batch| area(batch)).sum(),
            done_area: 0,
            total_weight: batches
                .iter()
                .flatten()
                .map(|item| u64::from(item.weight))
                .sum(),
        }
    }

    pub(crate) fn report<P>(
        &self,
        stage: &Stage<'_, P>,
        result: &StageResult,
        on_progress: &dyn Fn(&Progress<'_>),
    ) {
        let done = (result.used.len() + result.refused.len()) as u64;
        let elapsed = self.started.elapsed();
        let times = stage.clocks.times();
        // Long batches come first, and pictures differ in size: what is left is measured in tokens and pixels, not in
        // contents.
        let to_run = Share::new(self.done_area, self.total_area);
        let to_prepare = Share::new(stage.clocks.prepared.get(), self.total_weight);
        on_progress(&Progress {
            stage: stage.name,
            done,
            total: self.total as u64,
            tokens: result.tokens,
            computed_tokens: result.computed_tokens,
            images: if stage.counts_tokens { 0 } else { done },
            elapsed,
            times,
            token_states: stage.token_states,
            maps: stage.maps,
            eta: weighted_time_to_go(elapsed, &times, to_run, to_prepare),
        });
    }
}
