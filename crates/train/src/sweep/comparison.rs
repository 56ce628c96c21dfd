//! What the runs of a sweep said about the test posts, and two points of a grid compared on them, post by post.

use std::collections::{BTreeMap, HashMap};

use mmfnd_features::{Features, Key};
use mmfnd_posts::{Post, Split};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::run::RunDir;
use crate::scoring::{RunPrediction, read_run};
use crate::sweep::statistics::{Cluster, Difference, McNemar};

/// Seed of the draws of the bootstrap: the same figures for the same runs.
const BOOTSTRAP_SEED: u64 = 1;

/// A point against the reference, on the test posts of both and the seeds of both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Seeds that both have finished.
    pub seeds: Vec<u64>,
    /// Test posts.
    pub posts: usize,
    /// Pictures of them, which are drawn in the bootstrap.
    pub pictures: usize,
    /// Accuracy of the point minus that of the reference, with the same seed on the same posts; pictures and seeds are drawn.
    pub accuracy: Difference,
    /// Of the majority votes over the seeds; the point first, the reference second.
    pub mcnemar: McNemar,
}

/// What one run said about one test post.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    label: i64,
    predicted: i64,
    p_fake: f32,
}

/// What runs of one point said: seed → row of the post → outcome.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(BTreeMap<u64, HashMap<usize, Outcome>>);

/// The posts of a sweep, found by id.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    row: HashMap<&'a str, usize>,
    picture: &'a [Option<Key>],
}

impl<'a> Rows<'a> {
    pub fn new(posts: &'a [Post], features: &'a Features) -> Self {
        let rows = posts
            .iter()
            .enumerate()
            .map(|(row, post)| (post.id.as_str(), row));
        Self {
            row: rows.collect(),
            picture: &features.image_key,
        }
    }
}

impl Outcomes {
    /// Reads the predictions of runs, each with its seed.
    pub fn read(runs: &[(u64, RunDir)], rows: &Rows) -> Result<Self, Error> {
        let mut outcomes = Self::default();
        for (seed, run) in runs {
            let predictions = read_run(&run.predictions())?;
            let outcome = |prediction: &RunPrediction| {
                let RunPrediction {
                    split,
                    label,
                    predicted,
                    p_fake,
                    ..
                } = *prediction;
                let row = *rows.row.get(prediction.post_id.as_str())?;
                let label = label.filter(|_| split == Split::Test)?;
                Some((
                    row,
                    Outcome {
                        label,
                        predicted,
                        p_fake,
                    },
                ))
            };
            outcomes
                .0
                .insert(*seed, predictions.iter().filter_map(outcome).collect());
        }
        Ok(outcomes)
    }

    /// Against the reference; none where they share no seed or no test post.
    pub fn compare(&self, reference: &Self, rows: &Rows) -> Option<Comparison> {
        let seeds: Vec<u64> = self
            .0
            .keys()
            .copied()
            .filter(|seed| reference.0.contains_key(seed))
            .collect();
        let of = |outcomes: &Self, row| -> Option<Vec<Outcome>> {
            seeds
                .iter()
                .map(|seed| outcomes.0[seed].get(&row).copied())
                .collect()
        };
        let mut posts: Vec<_> = self.0.get(seeds.first()?)?.keys().copied().collect();
        posts.sort_unstable(); // a hash map has no order that could be repeated
        let (mut clusters, mut votes) = (BTreeMap::<_, Cluster>::new(), Vec::new());
        for row in posts {
            let (Some(ours), Some(theirs)) = (of(self, row), of(reference, row)) else {
                continue;
            };
            // a post without a picture stands alone
            let picture = rows.picture[row].map_or(Err(row), |key| Ok(key.to_string()));
            let cluster = clusters.entry(picture).or_default();
            cluster.sums.resize(seeds.len(), 0.0);
            for (sum, (ours, theirs)) in cluster.sums.iter_mut().zip(ours.iter().zip(&theirs)) {
                *sum += ours.right() - theirs.right();
            }
            cluster.posts += 1;
            votes.push((is_vote_right(&ours), is_vote_right(&theirs)));
        }
        let clusters: Vec<_> = clusters.into_values().collect();
        Some(Comparison {
            accuracy: Difference::of(&clusters, BOOTSTRAP_SEED)?,
            posts: votes.len(),
            pictures: clusters.len(),
            mcnemar: McNemar::of(votes),
            seeds,
        })
    }
}

impl Outcome {
    /// 1 if the post was told right, else 0.
    fn right(&self) -> f64 {
        f64::from(u8::from(self.predicted == self.label))
    }
}

/// The class that most seeds say; where as many say the one as the other, that of the mean probability.
fn is_vote_right(outcomes: &[Outcome]) -> bool {
    let fakes = outcomes
        .iter()
        .filter(|outcome| outcome.predicted == 1)
        .count();
    let is_fake = match (2 * fakes).cmp(&outcomes.len()) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => {
            let sum: f32 = outcomes.iter().map(|outcome| outcome.p_fake).sum();
            sum / outcomes.len() as f32 > 0.5
        }
    };
    i64::from(is_fake) == outcomes[0].label
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn outcome(label: i64, p_fake: f32) -> Outcome {
        Outcome {
            label,
            predicted: i64::from(p_fake > 0.5),
            p_fake,
        }
    }

    /// Posts 0, 1, …: all fake; the probabilities of each seed.
    fn outcomes(seeds: &[(u64, &[f32])]) -> Outcomes {
        let posts = |values: &[f32]| {
            values
                .iter()
                .map(|&p_fake| outcome(1, p_fake))
                .enumerate()
                .collect()
        };
        Outcomes(
            seeds
                .iter()
                .map(|(seed, values)| (*seed, posts(values)))
                .collect(),
        )
    }

    #[test]
    fn seeds_are_matched_and_posts_of_one_picture_drawn_together() {
        let ours = outcomes(&[
            (1, &[0.9, 0.9, 0.1]),
            (2, &[0.9, 0.1, 0.1]),
            (3, &[0.1, 0.1, 0.1]),
        ]);
        let theirs = outcomes(&[
            (1, &[0.1, 0.9, 0.1]),
            (2, &[0.1, 0.9, 0.1]),
            (4, &[0.9, 0.9, 0.9]),
        ]);
        let key = Some(Key::of(b"a"));
        let picture = [key, key, None];
        let rows = Rows {
            row: HashMap::new(),
            picture: &picture,
        };
        let comparison = ours.compare(&theirs, &rows).unwrap();
        assert_eq!(comparison.seeds, [1, 2]);
        assert_eq!((comparison.posts, comparison.pictures), (3, 2));
        // post 0: 1 − 0, post 1: ½ − 1, post 2: 0 − 0
        assert!((comparison.accuracy.mean - 0.5 / 3.0).abs() < 1e-12);
        // post 1 of ours is a tie: (0.9 + 0.1) / 2 is not above one half
        assert_eq!(
            (
                comparison.mcnemar.only_first,
                comparison.mcnemar.only_second
            ),
            (1, 1)
        );
    }

    #[test]
    fn without_a_common_seed_there_is_nothing_to_compare() {
        let picture = [None];
        let rows = Rows {
            row: HashMap::new(),
            picture: &picture,
        };
        assert!(
            outcomes(&[(1, &[0.9])])
                .compare(&outcomes(&[(2, &[0.9])]), &rows)
                .is_none()
        );
        assert!(
            Outcomes::default()
                .compare(&outcomes(&[(2, &[0.9])]), &rows)
                .is_none()
        );
    }

    #[test]
    fn a_vote_is_of_the_majority() {
        assert!(is_vote_right(&[
            outcome(1, 0.6),
            outcome(1, 0.6),
            outcome(1, 0.0)
        ]));
        assert!(!is_vote_right(&[
            outcome(0, 0.6),
            outcome(0, 0.6),
            outcome(0, 0.0)
        ]));
        assert!(is_vote_right(&[outcome(1, 0.8), outcome(1, 0.4)]));
    }
}
