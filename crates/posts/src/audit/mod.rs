//! The leak audit (design §9): what would make a test result look better than it is.

mod events;
mod findings;
mod guess;
mod pictures;
mod texts;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use serde::Serialize;

use crate::{Label, Post, Split};

pub use events::{Events, LargestEvent};
pub use guess::{Baseline, Guess, UrlCount};
pub use pictures::PictureAudit;
pub use texts::TextAudit;

/// What an audit found; every share lies between 0 and 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Audit {
    /// What it means, a sentence each; empty when nothing was found.
    pub findings: Vec<String>,
    /// Pictures, told apart by their content.
    pub pictures: PictureAudit,
    /// Texts.
    pub texts: TextAudit,
    /// Events.
    pub events: Events,
    /// What always giving the same answer is worth, per split.
    pub baselines: Vec<Baseline>,
    /// How far the label can be guessed from what is no evidence.
    pub guesses: Vec<Guess>,
    /// Pictures that the posts list, existing or not, by label.
    pub listed_pictures: BTreeMap<Label, UrlCount>,
}

impl Audit {
    /// Looks at posts; `listed` has for each the number of pictures that it names, whether they exist or not.
    ///
    /// # Panics
    /// When `listed` has another length than `posts`.
    pub fn of_import(posts: &[Post], listed: &[usize]) -> Self {
        assert_eq!(posts.len(), listed.len(), "a count per post");
        let pictures = pictures::Identities::of(posts);
        let mut audit = Self {
            findings: Vec::new(),
            pictures: pictures.audit(posts),
            texts: TextAudit::of(posts),
            events: Events::of(posts),
            baselines: guess::baselines(posts),
            guesses: guess::guesses(posts, listed, &pictures),
            listed_pictures: guess::listed_pictures(posts, listed),
        };
        audit.findings = findings::of(&audit);
        audit
    }
}

/// Things that several posts have in common, where they should not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shared {
    /// Distinct things.
    pub distinct: usize,
    /// Posts that have one; for those in several splits, only posts that are not in train.
    pub posts: usize,
}

/// Where things occur: with which labels, in which splits.
struct Occurrences<K> {
    of: HashMap<K, Occurrence>,
}

#[derive(Default)]
struct Occurrence {
    labels: BTreeSet<Label>,
    splits: BTreeSet<Split>,
    posts: usize,
    posts_not_in_train: usize,
}

impl<K: Eq + Hash> Occurrences<K> {
    fn new() -> Self {
        Self { of: HashMap::new() }
    }

    /// Records that `post` has `key`; at most once per post.
    fn add(&mut self, key: K, post: &Post) {
        let occurrence = self.of.entry(key).or_default();
        occurrence.labels.extend(post.label);
        occurrence.splits.insert(post.split);
        occurrence.posts += 1;
        occurrence.posts_not_in_train += usize::from(post.split != Split::Train);
    }

    fn with_both_labels(&self) -> Shared {
        let all = self.of.values().filter(|found| found.labels.len() > 1);
        all.fold(Shared::default(), |sum, found| Shared {
            distinct: sum.distinct + 1,
            posts: sum.posts + found.posts,
        })
    }

    fn in_several_splits(&self) -> Shared {
        let all = self.of.values().filter(|found| found.splits.len() > 1);
        all.fold(Shared::default(), |sum, found| Shared {
            distinct: sum.distinct + 1,
            posts: sum.posts + found.posts_not_in_train,
        })
    }
}

/// `part / whole`, and 0 of nothing.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

#[cfg(test)]
mod fixture {
    use super::*;

    /// A post without pictures.
    pub(super) fn post(id: usize, split: Split, label: Label, text: &str) -> Post {
        Post {
            id: id.to_string(),
            text: text.to_owned(),
            images: Vec::new(),
            label: Some(label),
            split,
            event: None,
            ocr_text: None,
            cause: None,
        }
    }
}
