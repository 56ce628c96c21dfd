//! Two finished runs compared on the test posts that both have, post by post.

use std::collections::{BTreeMap, HashMap};

use mmfnd_posts::{Label, Split};

use super::statistics::{Cluster, Difference, McNemar};
use crate::Error;
use crate::run::RunDir;
use crate::scoring::{RunPrediction, read_run};

/// Seed of the draws of the bootstrap: the same figures for the same runs.
const BOOTSTRAP_SEED: u64 = 1;

/// A post that one of two runs tells right and the other wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Differing {
    /// The post.
    pub post_id: String,
    /// What it is.
    pub label: Label,
    /// What either run says.
    pub p_fake: [f32; 2],
    /// Whether the first run is the one that is right.
    pub first_is_right: bool,
}

/// The first run against the second.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// Labelled test posts of both.
    pub posts: usize,
    /// Test posts that only the one or only the other has; they are left out.
    pub unshared: usize,
    /// What is drawn in the bootstrap: posts, or groups of them that belong together.
    pub clusters: usize,
    /// Accuracy of either on those posts.
    pub accuracy: [f64; 2],
    /// That of the first minus that of the second; the runs are taken as they are, only posts are drawn.
    pub difference: Difference,
    /// The first run first.
    pub mcnemar: McNemar,
    /// In the order of the first run's predictions.
    pub differing: Vec<Differing>,
}

impl Pair {
    /// Reads the predictions of both runs. Posts for which `together` says the same are drawn together: those that
    /// share a picture.
    pub fn of(
        first: &RunDir,
        second: &RunDir,
        together: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        for run in [first, second] {
            run.metrics()?; // an unfinished run is an error
        }
        let [ours, theirs] = [test_posts(first)?, test_posts(second)?];
        let by_id: HashMap<_, _> = theirs.iter().map(|post| (&post.post_id, post)).collect();
        let mut right = [0, 0];
        let (mut clusters, mut votes) = (BTreeMap::<String, Cluster>::new(), Vec::new());
        let mut differing = Vec::new();
        for ours in &ours {
            let Some(theirs) = by_id.get(&ours.post_id) else {
                continue;
            };
            if ours.label != theirs.label {
                return Err(second.problem(&format!(
                    "has another label for post `{}` than `{}`: they were trained on different posts of the same ids",
                    ours.post_id,
                    first.path().display()
                )));
            }
            let is_right = [ours, *theirs].map(|post| Some(post.predicted) == post.label);
            for (sum, is_right) in right.iter_mut().zip(is_right) {
                *sum += usize::from(is_right);
            }
            let key = together(&ours.post_id).unwrap_or_else(|| format!("post {}", ours.post_id));
            let cluster = clusters.entry(key).or_default();
            cluster.sums.resize(1, 0.0);
            cluster.sums[0] += f64::from(u8::from(is_right[0])) - f64::from(u8::from(is_right[1]));
            cluster.posts += 1;
            votes.push((is_right[0], is_right[1]));
            if let (true, Some(label)) = (
                is_right[0] != is_right[1],
                ours.label.and_then(Label::from_index),
            ) {
                differing.push(Differing {
                    post_id: ours.post_id.clone(),
                    label,
                    p_fake: [ours.p_fake, theirs.p_fake],
                    first_is_right: is_right[0],
                });
            }
        }
        let posts = votes.len();
        let clusters: Vec<_> = clusters.into_values().collect();
        let Some(difference) = Difference::of(&clusters, BOOTSTRAP_SEED) else {
            return Err(second.problem(&format!(
                "has no labelled test post in common with `{}`; compare runs that were tested on the same posts",
                first.path().display()
            )));
        };
        Ok(Self {
            posts,
            unshared: ours.len() + theirs.len() - 2 * posts,
            clusters: clusters.len(),
            accuracy: right.map(|right| right as f64 / posts as f64),
            difference,
            mcnemar: McNemar::of(votes),
            differing,
        })
    }
}

fn test_posts(run: &RunDir) -> Result<Vec<RunPrediction>, Error> {
    let all = read_run(&run.predictions())?.into_iter();
    let is_tested = |post: &RunPrediction| post.split == Split::Test && post.label.is_some();
    Ok(all.filter(is_tested).collect())
}
