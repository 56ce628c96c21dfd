//! Who is told how far a training is.

use std::fmt::{self, Debug};

use super::epoch_report::EpochReport;

/// How far an epoch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchReport {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Of how many.
    pub epochs: usize,
    /// Batches of this epoch that are done.
    pub batches: usize,
    /// Of how many.
    pub of_batches: usize,
    /// Posts in those that are done.
    pub posts: usize,
    /// Posts of all batches of an epoch.
    pub of_posts: usize,
    /// Pictures that went through ResNet in this epoch, each once a batch; none where it is not trained.
    pub pictures: usize,
}

/// Who is told how far a training is.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Of each epoch, when it is over.
    pub on_epoch: &'a dyn Fn(&EpochReport),
    /// Of each batch, when it is over.
    pub on_batch: &'a dyn Fn(&BatchReport),
}

impl<'a> Watch<'a> {
    /// Of epochs alone.
    pub fn epochs(on_epoch: &'a dyn Fn(&EpochReport)) -> Self {
        let on_batch = &|_: &BatchReport| ();
        Self { on_epoch, on_batch }
    }
}

impl Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}
