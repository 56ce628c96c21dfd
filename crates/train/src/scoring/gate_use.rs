//! What a head's gates make of its experts: shares and entropy, and a warning when a group of experts is no group any
//! more.

use serde::{Deserialize, Serialize};

use crate::heads::GateShares;
use crate::weights::numbers;

/// Share of a group that makes one of its experts the whole group.
const DOMINANT: f64 = 0.95;
/// Share of a gate below which a group is of no use to it.
const UNUSED: f64 = 0.01;

/// What one gate gave to its experts, over some posts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateUse {
    /// Its path among the weights.
    pub gate: String,
    /// The groups that it weighs, in their order.
    pub groups: Vec<GroupUse>,
    /// Mean entropy of a post's shares; 1 when all experts get the same, 0 when one gets all.
    pub entropy: f64,
}

/// What one group got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupUse {
    /// `unimodal`, `shared` or `cross_modal`.
    pub group: String,
    /// Mean share of each of its experts; over all groups of a gate they sum to 1.
    pub shares: Vec<f64>,
}

impl GateUse {
    /// What is wrong, a line for each group that has collapsed at this gate.
    pub fn collapsed(&self) -> Vec<String> {
        let problem = |GroupUse { group, shares }: &GroupUse| {
            let (gate, total) = (&self.gate, shares.iter().sum::<f64>());
            let largest = shares.iter().copied().fold(0.0, f64::max);
            let expert = shares.iter().position(|share| *share == largest)?;
            if total < UNUSED {
                let percent = 100.0 * total;
                return Some(format!("{gate}: group `{group}` gets {percent:.1} %"));
            }
            let percent = 100.0 * largest / total;
            (shares.len() > 1 && largest > DOMINANT * total).then(|| {
                format!("{gate}: expert {expert} has {percent:.1} % of what group `{group}` gets")
            })
        };
        self.groups.iter().filter_map(problem).collect()
    }
}

/// Sums over the posts so far.
struct Sums {
    gate: String,
    groups: Vec<(&'static str, usize)>,
    posts: usize,
    shares: Vec<f64>,
    entropy: f64,
}

impl Sums {
    fn new(of: &GateShares) -> Self {
        Self {
            gate: of.gate.clone(),
            groups: of.groups.clone(),
            posts: 0,
            shares: vec![0.0; of.groups.iter().map(|(_, experts)| experts).sum()],
            entropy: 0.0,
        }
    }

    fn add(&mut self, shares: &[f32]) {
        let experts = self.shares.len();
        for post in shares.chunks_exact(experts) {
            self.posts += 1;
            for (sum, &share) in self.shares.iter_mut().zip(post) {
                let share = f64::from(share);
                *sum += share;
                if share > 0.0 {
                    self.entropy -= share * share.ln() / (experts as f64).ln();
                }
            }
        }
    }

    fn means(self) -> GateUse {
        let posts = self.posts as f64;
        let mut shares = self.shares.into_iter().map(|sum| sum / posts);
        let group = |(group, experts): (&str, usize)| GroupUse {
            group: group.to_owned(),
            shares: shares.by_ref().take(experts).collect(),
        };
        GateUse {
            gate: self.gate,
            groups: self.groups.into_iter().map(group).collect(),
            entropy: self.entropy / posts,
        }
    }
}

/// Use of all gates of a head, gathered batch by batch while posts are scored.
#[derive(Default)]
pub(crate) struct GateUseMeter(Vec<Sums>);

impl GateUseMeter {
    /// The first `posts` of a batch; the rest of it are there to fill it up.
    pub fn add(&mut self, gates: Vec<GateShares>, posts: usize) {
        for of in gates {
            let index = self.0.iter().position(|sums| sums.gate == of.gate);
            let index = index.unwrap_or_else(|| {
                self.0.push(Sums::new(&of));
                self.0.len() - 1
            });
            let sums = &mut self.0[index];
            sums.add(&numbers(of.shares)[..posts * sums.shares.len()]);
        }
    }

    /// Means over all posts.
    pub fn means(self) -> Vec<GateUse> {
        self.0.into_iter().map(Sums::means).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Tensor};

    fn use_of(shares: &[&[f64]]) -> GateUse {
        let groups = ["unimodal", "shared"].iter().zip(shares);
        let group = |(group, shares): (&&str, &&[f64])| GroupUse {
            group: (*group).to_owned(),
            shares: shares.to_vec(),
        };
        GateUse {
            gate: "g".into(),
            groups: groups.map(group).collect(),
            entropy: 0.0,
        }
    }

    #[test]
    fn a_group_of_which_one_expert_is_left_has_collapsed() {
        assert!(use_of(&[&[0.3, 0.2], &[0.4, 0.1]]).collapsed().is_empty());
        let found = use_of(&[&[0.3, 0.2], &[0.01, 0.49]]).collapsed();
        assert_eq!(
            found,
            ["g: expert 1 has 98.0 % of what group `shared` gets"]
        );
        let found = use_of(&[&[0.5, 0.495], &[0.004, 0.001]]).collapsed();
        assert_eq!(found, ["g: group `shared` gets 0.5 %"]);
        assert!(use_of(&[&[0.6], &[0.4]]).collapsed().is_empty());
    }

    #[test]
    fn shares_are_means_and_entropy_is_1_for_even_and_0_for_one() {
        let mut sums = Sums {
            gate: "g".into(),
            groups: vec![("unimodal", 1), ("shared", 1)],
            posts: 0,
            shares: vec![0.0; 2],
            entropy: 0.0,
        };
        sums.add(&[0.5, 0.5, 1.0, 0.0]);
        let means = sums.means();
        assert_eq!(means.groups[0].shares, [0.75]);
        assert_eq!(means.groups[1].shares, [0.25]);
        assert!((means.entropy - 0.5).abs() < 1e-12);
    }

    #[test]
    fn posts_that_fill_up_a_batch_do_not_count() {
        let device = Device::flex();
        let gates = |shares: [[f32; 2]; 2]| GateShares {
            gate: "g".into(),
            groups: vec![("unimodal", 1), ("shared", 1)],
            shares: Tensor::from_floats(shares, &device),
        };
        let mut meter = GateUseMeter::default();
        meter.add(vec![gates([[0.5, 0.5], [1.0, 0.0]])], 2);
        meter.add(vec![gates([[0.0, 1.0], [1.0, 0.0]])], 1);
        let means = meter.means();
        assert_eq!(means.len(), 1);
        assert_eq!(means[0].groups[0].shares, [0.5]);
        assert_eq!(means[0].groups[1].shares, [0.5]);
    }
}
