//! Which posts are trained on, selected on and reported; a validation split is made by event and picture, never by
//! post.

use std::collections::HashMap;

use mmfnd_posts::{Label, Post, Split};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::config::{Select, TrainConfig};
use crate::error::DataProblem;

/// How far a made validation split may be from the share that was asked for.
const TOLERANCE: f64 = 0.5;
/// Groups by event are of no use when one of them holds more than this share of the posts.
const DOMINANT: f64 = 0.5;

/// The number of a post's picture, or why the post cannot be used.
pub type Picture = Result<usize, &'static str>;

/// Rows of posts by split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Splits {
    /// Trained on.
    pub train: Vec<usize>,
    /// Selected on.
    pub validation: Vec<usize>,
    /// Reported; posts without a label are only scored.
    pub test: Vec<usize>,
    /// Rows that cannot be used, and why.
    pub left_out: Vec<(usize, &'static str)>,
    /// What was done, for people.
    pub notes: Vec<String>,
}

impl Splits {
    /// `picture` numbers the picture of each post, or says why the post cannot be used.
    pub fn of(
        posts: &[Post],
        picture: &[Picture],
        config: &TrainConfig,
    ) -> Result<Self, DataProblem> {
        let mut splits = Self::default();
        for (row, post) in posts.iter().enumerate() {
            let is_scored = post.split == Split::Test;
            match (picture[row], post.label) {
                (Err(problem), _) => splits.left_out.push((row, problem)),
                (_, None) if !is_scored => splits.left_out.push((row, "no label")),
                _ => splits.rows_mut(post.split).push(row),
            }
        }
        splits.check(posts, Split::Train)?;
        if splits.validation.is_empty() && config.select == Select::Validation {
            splits.make_validation(posts, picture, config)?;
            splits.check(posts, Split::Train)?;
        }
        splits.check(posts, config.select.split())?;
        Ok(splits)
    }

    /// Rows of a split.
    pub fn rows(&self, split: Split) -> &[usize] {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }

    fn rows_mut(&mut self, split: Split) -> &mut Vec<usize> {
        match split {
            Split::Train => &mut self.train,
            Split::Validation => &mut self.validation,
            Split::Test => &mut self.test,
        }
    }

    /// Both classes where weights are fitted and where the epoch is selected.
    fn check(&self, posts: &[Post], split: Split) -> Result<(), DataProblem> {
        let mut labels = self.rows(split).iter().filter_map(|&row| posts[row].label);
        let Some(label) = labels.next() else {
            let is_of = |(row, _): &&(usize, &str)| posts[*row].split == split;
            let left_out = self.left_out.iter().filter(is_of).count();
            return Err(DataProblem::Empty { split, left_out });
        };
        match labels.all(|other| other == label) {
            false => Ok(()),
            true => Err(DataProblem::OneClass {
                posts: self.rows(split).len(),
                split,
                label,
            }),
        }
    }

    /// Moves groups of training posts to validation; by event and picture, or by picture alone where one event
    /// dominates.
    fn make_validation(
        &mut self,
        posts: &[Post],
        picture: &[Picture],
        config: &TrainConfig,
    ) -> Result<(), DataProblem> {
        let events = self
            .train
            .iter()
            .filter_map(|&row| posts[row].event.as_deref());
        let mut counts: HashMap<&str, usize> = HashMap::new();
        events.for_each(|event| *counts.entry(event).or_default() += 1);
        let largest = counts.iter().max_by_key(|(name, count)| (**count, **name));
        let share = largest.map_or(0.0, |(_, count)| *count as f64 / self.train.len() as f64);
        let by_event = (!counts.is_empty() && share <= DOMINANT)
            .then(|| self.pick(posts, picture, config, true))
            .flatten();
        let (validation, how) = match (by_event, largest) {
            (Some(picked), _) => (picked, "by event and picture".to_owned()),
            (None, largest) => {
                let why = largest.map_or_else(String::new, |(event, _)| {
                    format!(
                        " (not by event: `{event}` alone holds {:.0} % of the posts)",
                        100.0 * share
                    )
                });
                let picked = self.pick(posts, picture, config, false);
                let picked = picked.ok_or_else(|| no_validation(config))?;
                (picked, format!("by picture{why}"))
            }
        };
        self.train
            .retain(|row| validation.binary_search(row).is_err());
        self.notes.push(format!(
            "no validation posts were given: {} of {} training posts became the validation split, {how}, with seed {}",
            validation.len(),
            validation.len() + self.train.len(),
            config.seed
        ));
        self.validation = validation;
        Ok(())
    }

    /// Rows of whole groups, in ascending order, near the share of each class; `None` if that is not possible.
    fn pick(
        &self,
        posts: &[Post],
        picture: &[Picture],
        config: &TrainConfig,
        by_event: bool,
    ) -> Option<Vec<usize>> {
        let mut groups = groups(&self.train, posts, picture, by_event);
        groups.shuffle(&mut ChaCha8Rng::seed_from_u64(config.seed));
        let is_fake = |row: &usize| posts[*row].label == Some(Label::Fake);
        let count = |rows: &[usize]| {
            let fakes = rows.iter().copied().filter(|row| is_fake(row)).count();
            [rows.len() - fakes, fakes].map(|count| count as f64)
        };
        let wanted = count(&self.train).map(|count| count * config.validation_share);
        let (mut taken, mut rows) = ([0.0; 2], Vec::new());
        for group in groups {
            let counts = count(&group);
            let next = [taken[0] + counts[0], taken[1] + counts[1]];
            if next[0] <= wanted[0].ceil() && next[1] <= wanted[1].ceil() {
                taken = next;
                rows.extend(group);
            }
        }
        rows.sort_unstable();
        let is_near =
            |class: usize| taken[class] > 0.0 && taken[class] >= wanted[class] * TOLERANCE;
        (is_near(0) && is_near(1)).then_some(rows)
    }
}

fn no_validation(config: &TrainConfig) -> DataProblem {
    let percent = 100.0 * config.validation_share;
    DataProblem::NoValidation {
        why: format!("no set of pictures with their posts comes near {percent:.0} % of each class"),
    }
}

/// Posts that share a picture, or an event if that counts, directly or through others.
fn groups(rows: &[usize], posts: &[Post], picture: &[Picture], by_event: bool) -> Vec<Vec<usize>> {
    let mut parent: Vec<usize> = (0..rows.len()).collect();
    let (mut by_picture, mut by_name) = (HashMap::new(), HashMap::new());
    for (index, &row) in rows.iter().enumerate() {
        let first = *by_picture.entry(picture[row]).or_insert(index);
        join(&mut parent, first, index);
        if let Some(event) = posts[row].event.as_deref().filter(|_| by_event) {
            let first = *by_name.entry(event).or_insert(index);
            join(&mut parent, first, index);
        }
    }
    let mut groups: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, &row) in rows.iter().enumerate() {
        groups
            .entry(root(&mut parent, index))
            .or_default()
            .push(row);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_unstable(); // a hash map has no order that could be repeated
    groups
}

fn root(parent: &mut [usize], mut index: usize) -> usize {
    while parent[index] != index {
        parent[index] = parent[parent[index]];
        index = parent[index];
    }
    index
}

fn join(parent: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parent, a), root(parent, b));
    parent[b] = a;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn post(index: usize, event: Option<&str>) -> Post {
        Post {
            id: index.to_string(),
            text: String::new(),
            images: Vec::new(),
            label: Label::from_index((index % 2) as i64),
            split: Split::Train,
            event: event.map(str::to_owned),
            ocr_text: None,
            cause: None,
        }
    }

    /// Posts whose picture decides the label, as on Twitter; event `e` of every picture.
    fn world(
        pictures: usize,
        each: usize,
        event: impl Fn(usize) -> Option<String>,
    ) -> (Vec<Post>, Vec<Picture>) {
        let picture: Vec<_> = (0..pictures * each).map(|row| Ok(row % pictures)).collect();
        let posts = picture
            .iter()
            .map(|picture| post(picture.unwrap(), event(picture.unwrap()).as_deref()));
        (posts.collect(), picture)
    }

    fn split(posts: &[Post], picture: &[Picture], seed: u64) -> Result<Splits, DataProblem> {
        let config = TrainConfig {
            seed,
            ..TrainConfig::default()
        };
        Splits::of(posts, picture, &config)
    }

    #[test]
    fn events_stay_together_unless_one_dominates() {
        let (posts, picture) = world(40, 3, |picture| Some(format!("e{}", picture / 2)));
        let splits = split(&posts, &picture, 1).unwrap();
        assert!(
            splits.notes[0].contains("by event and picture"),
            "{:?}",
            splits.notes
        );
        for (a, b) in splits
            .train
            .iter()
            .flat_map(|a| splits.validation.iter().map(move |b| (a, b)))
        {
            assert_ne!(posts[*a].event, posts[*b].event);
        }
        let (posts, picture) = world(40, 3, |picture| {
            Some(if picture < 30 { "sandy" } else { "other" }.into())
        });
        let splits = split(&posts, &picture, 1).unwrap();
        assert!(
            splits.notes[0].contains("`sandy` alone holds 75 %"),
            "{:?}",
            splits.notes
        );
    }

    #[test]
    fn one_class_is_refused() {
        let (mut posts, picture) = world(40, 3, |_| None);
        posts
            .iter_mut()
            .for_each(|post| post.label = Some(Label::Fake));
        posts[0].split = Split::Validation;
        let error = split(&posts, &picture, 1).unwrap_err().to_string();
        assert!(error.contains("split `train` are fake"), "{error}");
    }

    #[test]
    fn one_picture_cannot_be_split() {
        let (posts, picture) = world(2, 60, |_| None);
        let error = split(&posts, &picture, 1).unwrap_err().to_string();
        assert!(error.contains("train.select"), "{error}");
    }

    #[test]
    fn posts_without_picture_or_label_are_left_out_and_listed() {
        let (mut posts, mut picture) = world(40, 3, |_| None);
        picture[5] = Err("no usable picture");
        posts[6].label = None;
        let splits = split(&posts, &picture, 1).unwrap();
        assert_eq!(splits.left_out, [(5, "no usable picture"), (6, "no label")]);
    }

    #[test]
    fn selection_on_test_makes_no_validation_split() {
        let (mut posts, picture) = world(40, 3, |_| None);
        posts[0].split = Split::Test;
        posts[1].split = Split::Test;
        let config = TrainConfig {
            select: Select::Test,
            ..TrainConfig::default()
        };
        let splits = Splits::of(&posts, &picture, &config).unwrap();
        assert_eq!(
            (
                splits.train.len(),
                splits.validation.len(),
                splits.test.len()
            ),
            (118, 0, 2)
        );
    }

    proptest! {
        #[test]
        fn no_picture_is_on_both_sides(seed in 0u64..1000, each in 1usize..6, pictures in 30usize..80) {
            let (posts, picture) = world(pictures, each, |_| None);
            let splits = split(&posts, &picture, seed).unwrap();
            prop_assert_eq!(splits.train.len() + splits.validation.len(), posts.len());
            for (a, b) in splits.train.iter().flat_map(|a| splits.validation.iter().map(move |b| (a, b))) {
                prop_assert_ne!(picture[*a], picture[*b]);
            }
            prop_assert_eq!(&splits, &split(&posts, &picture, seed).unwrap());
        }
    }
}
