//! Events: in which splits they occur, and whether one of them is nearly everything.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::occurrences::share;
use crate::{Label, Post, Split};

/// What the posts are about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Events {
    /// Distinct events, per split.
    pub count: BTreeMap<Split, usize>,
    /// Events that occur in two or more splits.
    pub several_splits: Vec<String>,
    /// Posts outside train that belong to those.
    pub posts_in_several_splits: usize,
    /// Events all of whose posts have the same label.
    pub one_label: usize,
    /// Distinct events.
    pub distinct: usize,
    /// The event with the most posts, per split.
    pub largest: BTreeMap<Split, LargestEvent>,
    /// Posts without an event.
    pub posts_without: usize,
}

/// The event with the most posts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LargestEvent {
    /// Its name.
    pub event: String,
    /// Its posts.
    pub posts: usize,
    /// Its share of the split's posts.
    pub share: f64,
}

impl Events {
    pub(super) fn of(posts: &[Post]) -> Self {
        let mut labels: BTreeMap<&str, BTreeSet<Label>> = BTreeMap::new();
        let mut counts: BTreeMap<Split, BTreeMap<&str, usize>> = BTreeMap::new();
        for post in posts {
            let Some(event) = post.event.as_deref() else {
                continue;
            };
            labels.entry(event).or_default().extend(post.label);
            *counts
                .entry(post.split)
                .or_default()
                .entry(event)
                .or_default() += 1;
        }
        let splits_of = |event: &str| counts.values().filter(|c| c.contains_key(event)).count();
        let several: BTreeSet<&str> = labels
            .keys()
            .copied()
            .filter(|e| splits_of(e) > 1)
            .collect();
        let affected = |post: &&Post| {
            let event = post.event.as_deref();
            post.split != Split::Train && event.is_some_and(|event| several.contains(event))
        };
        let one_label = |labels: &&BTreeSet<Label>| labels.len() == 1;
        Self {
            count: counts.iter().map(|(split, c)| (*split, c.len())).collect(),
            posts_in_several_splits: posts.iter().filter(affected).count(),
            several_splits: several.iter().map(|event| (*event).to_owned()).collect(),
            one_label: labels.values().filter(one_label).count(),
            distinct: labels.len(),
            largest: largest(posts, &counts),
            posts_without: posts.iter().filter(|post| post.event.is_none()).count(),
        }
    }
}

fn largest(
    posts: &[Post],
    counts: &BTreeMap<Split, BTreeMap<&str, usize>>,
) -> BTreeMap<Split, LargestEvent> {
    let largest = |(split, counts): (&Split, &BTreeMap<&str, usize>)| {
        let all = posts.iter().filter(|post| post.split == *split).count();
        let (event, posts) = counts.iter().max_by_key(|(_, posts)| **posts)?;
        let event = LargestEvent {
            event: (*event).to_owned(),
            posts: *posts,
            share: share(*posts, all),
        };
        Some((*split, event))
    };
    counts.iter().filter_map(largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fixture::post;

    #[test]
    fn events_are_counted_per_split() {
        let posts: Vec<Post> = [
            (Split::Train, Label::Fake, Some("sandy")),
            (Split::Train, Label::Real, Some("sandy")),
            (Split::Train, Label::Fake, Some("boston")),
            (Split::Train, Label::Fake, None),
            (Split::Test, Label::Fake, Some("boston")),
        ]
        .into_iter()
        .enumerate()
        .map(|(id, (split, label, event))| Post {
            event: event.map(str::to_owned),
            ..post(id, split, label, "")
        })
        .collect();
        let events = Events::of(&posts);
        assert_eq!(events.count[&Split::Train], 2);
        assert_eq!(events.several_splits, ["boston"]);
        assert_eq!(events.posts_in_several_splits, 1);
        assert_eq!(
            (events.one_label, events.distinct, events.posts_without),
            (1, 2, 1)
        );
        let largest = &events.largest[&Split::Train];
        assert_eq!((largest.event.as_str(), largest.share), ("sandy", 0.5));
    }
}
