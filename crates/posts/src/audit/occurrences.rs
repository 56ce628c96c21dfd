//! Where things occur that several posts may have in common: with which labels, in which splits.

use std::collections::HashMap;

use serde::Serialize;

use crate::{Post, Split};

/// Things that several posts have in common, where they should not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shared {
    /// Distinct things.
    pub distinct: usize,
    /// Posts that have one; for those in several splits, only posts that are not in train.
    pub posts: usize,
}

/// Where things occur, by their hashes.
#[derive(Default)]
pub(super) struct Occurrences {
    pub(super) of: HashMap<u128, Occurrence>,
}

/// Labels and splits are sets, a bit each.
#[derive(Default)]
pub(super) struct Occurrence {
    labels: u8,
    splits: u8,
    pub(super) posts: u32,
    posts_not_in_train: u32,
}

impl Occurrence {
    pub(super) fn is_in(&self, split: Split) -> bool {
        self.splits & bit(split) != 0
    }
}

impl Occurrences {
    /// Records that `post` has `key`; at most once per post.
    pub(super) fn add(&mut self, key: u128, post: &Post) {
        let occurrence = self.of.entry(key).or_default();
        occurrence.labels |= post.label.map_or(0, |label| 1 << label.index());
        occurrence.splits |= bit(post.split);
        occurrence.posts += 1;
        occurrence.posts_not_in_train += u32::from(post.split != Split::Train);
    }

    pub(super) fn with_both_labels(&self) -> Shared {
        let all = self
            .of
            .values()
            .filter(|found| found.labels.count_ones() > 1);
        all.fold(Shared::default(), |sum, found| Shared {
            distinct: sum.distinct + 1,
            posts: sum.posts + found.posts as usize,
        })
    }

    pub(super) fn in_several_splits(&self) -> Shared {
        let all = self
            .of
            .values()
            .filter(|found| found.splits.count_ones() > 1);
        all.fold(Shared::default(), |sum, found| Shared {
            distinct: sum.distinct + 1,
            posts: sum.posts + found.posts_not_in_train as usize,
        })
    }
}

fn bit(split: Split) -> u8 {
    1 << split as u8
}

/// `part / whole`, and 0 of nothing.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}
