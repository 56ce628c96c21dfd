//! Where things occur that several posts may have in common: with which labels, in which splits.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use serde::Serialize;

use crate::{Label, Post, Split};

/// Things that several posts have in common, where they should not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shared {
    /// Distinct things.
    pub distinct: usize,
    /// Posts that have one; for those in several splits, only posts that are not in train.
    pub posts: usize,
}

/// Where things occur: with which labels, in which splits.
pub(super) struct Occurrences<K> {
    pub(super) of: HashMap<K, Occurrence>,
}

#[derive(Default)]
pub(super) struct Occurrence {
    labels: BTreeSet<Label>,
    splits: BTreeSet<Split>,
    pub(super) posts: usize,
    posts_not_in_train: usize,
}

impl<K: Eq + Hash> Occurrences<K> {
    pub(super) fn new() -> Self {
        Self { of: HashMap::new() }
    }

    /// Records that `post` has `key`; at most once per post.
    pub(super) fn add(&mut self, key: K, post: &Post) {
        let occurrence = self.of.entry(key).or_default();
        occurrence.labels.extend(post.label);
        occurrence.splits.insert(post.split);
        occurrence.posts += 1;
        occurrence.posts_not_in_train += usize::from(post.split != Split::Train);
    }

    pub(super) fn with_both_labels(&self) -> Shared {
        let all = self.of.values().filter(|found| found.labels.len() > 1);
        all.fold(Shared::default(), |sum, found| Shared {
            distinct: sum.distinct + 1,
            posts: sum.posts + found.posts,
        })
    }

    pub(super) fn in_several_splits(&self) -> Shared {
        let all = self.of.values().filter(|found| found.splits.len() > 1);
        all.fold(Shared::default(), |sum, found| Shared {
            distinct: sum.distinct + 1,
            posts: sum.posts + found.posts_not_in_train,
        })
    }
}

/// `part / whole`, and 0 of nothing.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}
