//! How far the label can be guessed from what is no evidence: the number of pictures, a folder's name, the event.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::hash::Hash;
use std::path::Path;

use serde::Serialize;

use super::occurrences::share;
use super::pictures::Identities;
use crate::{Label, Post, Split};

/// Values that fewer posts have are taken together: alone they would give the label of their own posts away.
const FEW: usize = 5;

/// Accuracy of always giving the same answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Baseline {
    /// The split that is judged.
    pub split: Split,
    /// The commoner label of train, or of all posts when train has none.
    pub answer: Label,
    /// Share of the split's labelled posts that have it.
    pub accuracy: f64,
}

/// Accuracy of the best guess from one property alone, over all labelled posts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guess {
    /// The property.
    pub from: &'static str,
    /// Different values of it that five posts or more have.
    pub values: usize,
    /// Share of posts that have the commoner label of their value.
    pub accuracy: f64,
}

/// Pictures that the posts of a label list.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UrlCount {
    /// Posts.
    pub posts: usize,
    /// Pictures listed per post, on average.
    pub mean: f64,
    /// Share of posts that list two or more.
    pub two_or_more: f64,
}

/// One entry per split that has labelled posts.
pub(super) fn baselines(posts: &[Post]) -> Vec<Baseline> {
    let mut per_split: BTreeMap<Split, Tally> = BTreeMap::new();
    for post in posts {
        if let Some(label) = post.label {
            per_split.entry(post.split).or_default().add(label);
        }
    }
    let all = per_split.values().fold(Tally::default(), Tally::plus);
    let answer = per_split.get(&Split::Train).unwrap_or(&all).commoner();
    let baseline = |(split, tally): (&Split, &Tally)| Baseline {
        split: *split,
        answer,
        accuracy: share(tally.0[answer.index()], tally.sum()),
    };
    per_split.iter().map(baseline).collect()
}

/// From the weakest property to the strongest; the first is always the constant answer.
pub(super) fn guesses(posts: &[Post], listed: &[usize], pictures: &Identities) -> Vec<Guess> {
    let rows: Vec<(&Post, Label, usize)> = posts
        .iter()
        .zip(listed)
        .filter_map(|(post, listed)| Some((post, post.label?, *listed)))
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let first = |post: &Post| post.images.first().cloned();
    let mut guesses = vec![
        guess("presence of a text", &rows, |(post, ..)| {
            post.text.trim().is_empty()
        }),
        guess("presence of a URL", &rows, |(post, ..)| {
            post.text.contains("http://") || post.text.contains("https://")
        }),
        guess("number of pictures listed", &rows, |(_, _, listed)| *listed),
        guess("ending of the first picture", &rows, |(post, ..)| {
            first(post).map(|path| path.extension().map(OsStr::to_ascii_lowercase))
        }),
        guess("folder of the first picture", &rows, |(post, ..)| {
            first(post).map(|path| path.parent().map(Path::to_owned))
        }),
        guess("event", &rows, |(post, ..)| post.event.clone()),
        guess("which picture it is", &rows, |(post, ..)| {
            pictures.first(post)
        }),
    ];
    guesses.retain(|guess| guess.values > 1);
    guesses.sort_by(|a, b| a.accuracy.total_cmp(&b.accuracy));
    guesses.insert(0, guess("the commoner label", &rows, |_| ()));
    guesses
}

fn guess<T, K: Eq + Hash>(
    from: &'static str,
    rows: &[(T, Label, usize)],
    value: impl Fn(&(T, Label, usize)) -> K,
) -> Guess {
    let mut tallies: HashMap<K, Tally> = HashMap::new();
    for row in rows {
        tallies.entry(value(row)).or_default().add(row.1);
    }
    let (many, few): (Vec<Tally>, Vec<Tally>) =
        tallies.into_values().partition(|tally| tally.sum() >= FEW);
    let few = few.iter().fold(Tally::default(), Tally::plus);
    let right = many
        .iter()
        .chain([&few])
        .map(|tally| tally.0.into_iter().max());
    Guess {
        from,
        values: many.len(),
        accuracy: share(right.flatten().sum(), rows.len()),
    }
}

/// Pictures that posts list, by label.
pub(super) fn listed_pictures(posts: &[Post], listed: &[usize]) -> BTreeMap<Label, UrlCount> {
    let mut counts: BTreeMap<Label, Vec<usize>> = BTreeMap::new();
    for (post, listed) in posts.iter().zip(listed) {
        if let Some(label) = post.label {
            counts.entry(label).or_default().push(*listed);
        }
    }
    let count = |(label, listed): (Label, Vec<usize>)| {
        let several = listed.iter().filter(|listed| **listed > 1).count();
        let count = UrlCount {
            posts: listed.len(),
            mean: share(listed.iter().sum(), listed.len()),
            two_or_more: share(several, listed.len()),
        };
        (label, count)
    };
    counts.into_iter().map(count).collect()
}

/// Posts per label, indexed by class.
#[derive(Clone, Copy, Default)]
struct Tally([usize; 2]);

impl Tally {
    fn add(&mut self, label: Label) {
        self.0[label.index()] += 1;
    }

    fn plus(self, other: &Self) -> Self {
        Self([self.0[0] + other.0[0], self.0[1] + other.0[1]])
    }

    fn sum(&self) -> usize {
        self.0.iter().sum()
    }

    fn commoner(&self) -> Label {
        if self.0[Label::Fake.index()] >= self.0[Label::Real.index()] {
            Label::Fake
        } else {
            Label::Real
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Label::{Fake, Real};
    use crate::audit::fixture::post;

    fn rows(values: &[(usize, Label)]) -> Vec<((), Label, usize)> {
        values
            .iter()
            .map(|(value, label)| ((), *label, *value))
            .collect()
    }

    #[test]
    fn a_property_that_gives_the_label_away_is_worth_everything() {
        let posts = rows(&[[(1, Fake); 6], [(2, Real); 6]].concat());
        assert_eq!(guess("", &posts, |row| row.2).accuracy, 1.0);
        assert_eq!(guess("", &posts, |_| ()).accuracy, 0.5);
    }

    #[test]
    fn rare_values_give_nothing_away() {
        let posts: Vec<_> = (0..10)
            .map(|i| (i, if i < 7 { Fake } else { Real }))
            .collect();
        let guess = guess("", &rows(&posts), |row| row.2);
        assert_eq!((guess.values, guess.accuracy), (0, 0.7));
    }

    #[test]
    fn the_answer_of_train_is_judged_on_test() {
        let posts = [
            post(0, Split::Train, Fake, ""),
            post(1, Split::Test, Real, ""),
            post(2, Split::Test, Real, ""),
            post(3, Split::Test, Fake, ""),
            post(4, Split::Test, Real, ""),
        ];
        let test = &baselines(&posts)[1];
        assert_eq!((test.answer, test.accuracy), (Fake, 0.25));
    }

    #[test]
    fn listed_pictures_are_counted_by_label() {
        let posts =
            [0, 1, 2].map(|id| post(id, Split::Train, if id == 2 { Real } else { Fake }, ""));
        let counts = listed_pictures(&posts, &[1, 2, 4]);
        assert_eq!((counts[&Fake].mean, counts[&Fake].two_or_more), (1.5, 0.5));
        assert_eq!((counts[&Real].mean, counts[&Real].two_or_more), (4.0, 1.0));
    }
}
