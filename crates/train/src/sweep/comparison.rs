//! What the runs of a sweep predicted for the test posts, and two points of a grid compared on them, post by post.

use std::collections::{BTreeMap, HashMap};

use mmfnd_features::Features;
use mmfnd_posts::{Post, Split};
use serde::{Deserialize, Serialize};

use super::statistics::{Cluster, Difference, McNemar};
use crate::Error;
use crate::data::Shared;
use crate::run::RunDir;
use crate::scoring::{RunPrediction, read_run};

/// Seed of the draws of the bootstrap: the same figures for the same runs.
const BOOTSTRAP_SEED: u64 = 1;

/// A point against the reference, on the test posts of both and the seeds of both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Seeds that both have finished.
    pub seeds: Vec<u64>,
    /// Test posts.
    pub posts: usize,
    /// Pictures of them, which are drawn in the bootstrap; posts without one count by their text.
    pub pictures: usize,
    /// Accuracy of the point minus that of the reference, with the same seed on the same posts; pictures and seeds are
    /// drawn.
    pub accuracy: Difference,
    /// Of the majority votes over the seeds; the point first, the reference second.
    pub mcnemar: McNemar,
}

/// What one run said about one test post.
#[derive(Clone, Copy, Debug)]
struct TestPrediction {
    label: i64,
    predicted: i64,
    p_fake: f32,
}

/// What runs of one point said: seed → row of the post → prediction.
#[derive(Debug, Default)]
pub(crate) struct PointPredictions(BTreeMap<u64, HashMap<usize, TestPrediction>>);

/// The posts of a sweep, found by id.
#[derive(Debug)]
pub(crate) struct PostIndex<'a> {
    row: HashMap<&'a str, usize>,
    /// By row.
    shared: Vec<Shared<'a>>,
}

impl<'a> PostIndex<'a> {
    pub fn new(posts: &'a [Post], features: &'a Features) -> Self {
        let rows = posts
            .iter()
            .enumerate()
            .map(|(row, post)| (post.id.as_str(), row));
        let shared = posts.iter().zip(&features.image_key).enumerate();
        Self {
            row: rows.collect(),
            shared: shared
                .map(|(row, (post, picture))| Shared::of(row, picture.as_ref(), post))
                .collect(),
        }
    }
}

impl PointPredictions {
    /// Reads the predictions of runs, each with its seed.
    pub fn read(runs: &[(u64, RunDir)], rows: &PostIndex) -> Result<Self, Error> {
        let mut by_seed = BTreeMap::new();
        for (seed, run) in runs {
            let predictions = read_run(&run.predictions())?;
            let of_test = |prediction: &RunPrediction| {
                let row = *rows.row.get(prediction.post_id.as_str())?;
                let label = prediction
                    .label
                    .filter(|_| prediction.split == Split::Test)?;
                let prediction = TestPrediction {
                    label,
                    predicted: prediction.predicted,
                    p_fake: prediction.p_fake,
                };
                Some((row, prediction))
            };
            by_seed.insert(*seed, predictions.iter().filter_map(of_test).collect());
        }
        Ok(Self(by_seed))
    }

    /// Against the reference; none where they share no seed or no test post.
    pub fn compare(&self, reference: &Self, rows: &PostIndex) -> Option<Comparison> {
        let seeds: Vec<u64> = self
            .0
            .keys()
            .copied()
            .filter(|seed| reference.0.contains_key(seed))
            .collect();
        let of = |predictions: &Self, row| -> Option<Vec<TestPrediction>> {
            seeds
                .iter()
                .map(|seed| predictions.0[seed].get(&row).copied())
                .collect()
        };
        let mut posts: Vec<_> = self.0.get(seeds.first()?)?.keys().copied().collect();
        posts.sort_unstable(); // a hash map has no order that could be repeated
        let (mut clusters, mut votes) = (BTreeMap::<_, Cluster>::new(), Vec::new());
        for row in posts {
            let (Some(ours), Some(theirs)) = (of(self, row), of(reference, row)) else {
                continue;
            };
            let cluster = clusters.entry(rows.shared[row]).or_default();
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

impl TestPrediction {
    /// 1 if the post was told right, else 0.
    fn right(&self) -> f64 {
        f64::from(u8::from(self.predicted == self.label))
    }
}

/// The class that most seeds say; where as many say the one as the other, that of the mean probability.
fn is_vote_right(predictions: &[TestPrediction]) -> bool {
    let fakes = predictions
        .iter()
        .filter(|prediction| prediction.predicted == 1)
        .count();
    let is_fake = match (2 * fakes).cmp(&predictions.len()) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => {
            let sum: f32 = predictions.iter().map(|prediction| prediction.p_fake).sum();
            sum / predictions.len() as f32 > 0.5
        }
    };
    i64::from(is_fake) == predictions[0].label
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use mmfnd_features::Key;

    fn prediction(label: i64, p_fake: f32) -> TestPrediction {
        TestPrediction {
            label,
            predicted: i64::from(p_fake > 0.5),
            p_fake,
        }
    }

    /// Posts 0, 1, …: all fake; the probabilities of each seed.
    fn predictions(seeds: &[(u64, &[f32])]) -> PointPredictions {
        let posts = |values: &[f32]| {
            values
                .iter()
                .map(|&p_fake| prediction(1, p_fake))
                .enumerate()
                .collect()
        };
        PointPredictions(
            seeds
                .iter()
                .map(|(seed, values)| (*seed, posts(values)))
                .collect(),
        )
    }

    #[test]
    fn seeds_are_matched_and_posts_of_one_picture_drawn_together() {
        let ours = predictions(&[
            (1, &[0.9, 0.9, 0.1]),
            (2, &[0.9, 0.1, 0.1]),
            (3, &[0.1, 0.1, 0.1]),
        ]);
        let theirs = predictions(&[
            (1, &[0.1, 0.9, 0.1]),
            (2, &[0.1, 0.9, 0.1]),
            (4, &[0.9, 0.9, 0.9]),
        ]);
        let key = Shared::Picture(Key::of(b"a"));
        let rows = PostIndex {
            row: HashMap::new(),
            shared: vec![key, key, Shared::Nothing(2)],
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
        let rows = PostIndex {
            row: HashMap::new(),
            shared: vec![Shared::Nothing(0)],
        };
        assert!(
            predictions(&[(1, &[0.9])])
                .compare(&predictions(&[(2, &[0.9])]), &rows)
                .is_none()
        );
        assert!(
            PointPredictions::default()
                .compare(&predictions(&[(2, &[0.9])]), &rows)
                .is_none()
        );
    }

    #[test]
    fn a_vote_is_of_the_majority() {
        assert!(is_vote_right(&[
            prediction(1, 0.6),
            prediction(1, 0.6),
            prediction(1, 0.0)
        ]));
        assert!(!is_vote_right(&[
            prediction(0, 0.6),
            prediction(0, 0.6),
            prediction(0, 0.0)
        ]));
        assert!(is_vote_right(&[prediction(1, 0.8), prediction(1, 0.4)]));
    }
}
