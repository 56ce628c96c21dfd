//! Runs over the same posts: only these may stand in one table.

use std::collections::BTreeMap;

use mmfnd_posts::Split;

use super::aggregates::aggregates;
use super::posts::PostsFile;
use crate::numbers::Scored;
use crate::runs::{Group, Prediction, Problem, Vectors};

/// Groups whose predictions are read: as many as there are colours.
const SHOWN: usize = 6;

/// A group with the predictions of its first run.
pub struct Shown<'a> {
    /// The group.
    pub group: &'a Group,
    /// Of its first run.
    pub predictions: Vec<Prediction>,
}

impl Shown<'_> {
    /// The posts of a split.
    pub fn of(&self, split: Split) -> impl Iterator<Item = &Prediction> {
        self.predictions
            .iter()
            .filter(move |post| post.split == split)
    }

    /// p_fake and label of the labelled test posts.
    pub fn scored(&self) -> Vec<Scored> {
        let scored = |post: &Prediction| Some((post.p_fake, post.fake?));
        self.of(Split::Test).filter_map(scored).collect()
    }
}

/// The runs of one test set.
pub struct TestSet<'a> {
    /// Ends the ids of what is on the page about it: `a`, `b`, …
    pub key: String,
    /// For people.
    pub name: String,
    /// Labelled test posts.
    pub n: usize,
    /// The best by validation first.
    pub groups: Vec<&'a Group>,
    /// Those whose predictions the figures show: the best, then single modalities, baselines and ablations.
    pub shown: Vec<Shown<'a>>,
    /// What the classifiers of one or two heads read, by post.
    pub aggregates: Vec<(&'a Group, Vectors)>,
    /// The posts, where a file with them was given.
    pub posts: Option<&'a PostsFile>,
}

impl TestSet<'_> {
    /// Whether causes of fakeness are known for some of its test posts.
    pub fn has_causes(&self) -> bool {
        let (Some(posts), Some(shown)) = (self.posts, self.shown.first()) else {
            return false;
        };
        let has_cause = |post: &Prediction| {
            posts
                .get(&post.post_id)
                .is_some_and(|post| post.cause.is_some())
        };
        shown.of(Split::Test).any(has_cause)
    }

    /// What the answer is about.
    pub fn best(&self) -> &Group {
        self.groups[0]
    }
}

/// The test sets, the one with most runs first.
pub fn test_sets<'a>(
    groups: &'a [Group],
    posts: &'a [PostsFile],
    problems: &mut Vec<Problem>,
) -> Vec<TestSet<'a>> {
    let mut by_posts: BTreeMap<(&str, usize), Vec<&Group>> = BTreeMap::new();
    for group in groups {
        let key = (group.origin.posts.as_str(), group.first().test.n);
        by_posts.entry(key).or_default().push(group);
    }
    let mut sets: Vec<_> = by_posts.into_iter().collect();
    sets.sort_by_key(|(_, groups)| std::cmp::Reverse(groups.len()));
    let several = sets.len() > 1;
    let set = |(index, ((_, n), mut groups)): (usize, ((&str, usize), Vec<&'a Group>))| {
        groups.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        let shown = shown(&groups, problems);
        let aggregates = aggregates(&groups, problems);
        let posts = shown.first().and_then(|shown| posts_of(shown, posts));
        let key = char::from(b'a' + (index % 26) as u8).to_string() + &"x".repeat(index / 26);
        let name = match posts {
            Some(posts) => posts.name.clone(),
            None if several => format!("test set {}", key.to_uppercase()),
            None => "the test set".to_owned(),
        };
        TestSet {
            key,
            name,
            n,
            groups,
            shown,
            aggregates,
            posts,
        }
    };
    sets.into_iter().enumerate().map(set).collect()
}

/// By mean accuracy on the validation posts; groups whose epochs the test posts chose come behind all others.
fn rank(group: &&Group) -> f64 {
    group.validation_accuracy().unwrap_or(-1.0)
}

/// The best group, the single modalities, the baselines, the ablations, then the rest.
fn shown<'a>(groups: &[&'a Group], problems: &mut Vec<Problem>) -> Vec<Shown<'a>> {
    let kind = |group: &Group| match group.ablation().as_str() {
        _ if !group.is_mmfnd() => 2,
        "text-only" | "image-only" => 1,
        "" | "none" => 4,
        _ => 3,
    };
    let mut order: Vec<_> = (0..groups.len()).collect();
    order.sort_by_key(|&index| (if index == 0 { 0 } else { kind(groups[index]) }, index));
    let mut shown: Vec<Shown<'_>> = Vec::new();
    let head = |group: &Group| (group.text("head.kind"), group.ablation());
    for index in order {
        if shown.len() == SHOWN {
            break;
        }
        // the same head with other settings comes only where nothing else is left
        let seen = (shown.iter()).any(|shown| head(shown.group) == head(groups[index]));
        if seen && kind(groups[index]) != 4 {
            continue;
        }
        match groups[index].first().predictions() {
            Ok(predictions) => shown.push(Shown {
                group: groups[index],
                predictions,
            }),
            Err(problem) => problems.push(problem),
        }
    }
    shown
}

/// The posts file that has every post of a run.
fn posts_of<'a>(shown: &Shown<'_>, files: &'a [PostsFile]) -> Option<&'a PostsFile> {
    let has_all = |file: &&PostsFile| {
        let mut predictions = shown.predictions.iter();
        predictions.all(|post| file.get(&post.post_id).is_some())
    };
    files.iter().find(has_all)
}
