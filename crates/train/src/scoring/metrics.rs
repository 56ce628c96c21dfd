//! Metrics of a split, as scikit-learn computes them; a class that was never predicted has precision 0.

use std::collections::BTreeMap;

use mmfnd_posts::{Label, Post};
use serde::{Deserialize, Serialize};

use super::ranking::{auprc, auroc, ece};
pub use super::scored::Scored;

/// How good predictions are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Posts.
    pub n: usize,
    /// Share of posts that are told right.
    pub accuracy: f64,
    /// Mean cross-entropy.
    pub loss: f64,
    /// Of the class fake.
    pub fake: ClassMetrics,
    /// Of the class real.
    pub real: ClassMetrics,
    /// Rows are what posts are, columns what they were taken for; real first.
    pub confusion: [[usize; 2]; 2],
    /// Mean of the two F1.
    pub macro_f1: f64,
    /// Area under the ROC curve; none when there is one class only.
    pub auroc: Option<f64>,
    /// Area under the precision–recall curve of the class fake, as average precision; none when there is one class
    /// only.
    pub auprc: Option<f64>,
    /// Expected calibration error of p_fake, 15 bins of equal width.
    pub ece: f64,
}

/// Precision, recall and their harmonic mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Share of those taken for the class that are of it.
    pub precision: f64,
    /// Share of those of the class that are taken for it.
    pub recall: f64,
    /// 2PR / (P + R).
    pub f1: f64,
}

impl Metrics {
    /// Of some posts.
    pub fn of(scored: &[Scored]) -> Self {
        let mut confusion = [[0; 2]; 2];
        for post in scored {
            confusion[post.label][usize::from(post.logits[1] > post.logits[0])] += 1;
        }
        let n = scored.len();
        let (real, fake) = (class(confusion, 0), class(confusion, 1));
        Self {
            n,
            accuracy: share(confusion[0][0] + confusion[1][1], n),
            loss: scored.iter().map(Scored::loss).sum::<f64>() / n.max(1) as f64,
            fake,
            real,
            confusion,
            macro_f1: (fake.f1 + real.f1) / 2.0,
            auroc: auroc(scored),
            auprc: auprc(scored),
            ece: ece(scored),
        }
    }
}

/// How often posts of one kind are told right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KindAccuracy {
    /// Why the posts are fake, or `real`.
    pub kind: String,
    /// Posts.
    pub n: usize,
    /// Share of them that are told right.
    pub accuracy: f64,
}

/// Accuracy by cause of fakeness, and of real posts; posts that are fake for no known cause are not counted.
pub fn by_cause<'a>(predicted: impl IntoIterator<Item = (&'a Post, Label)>) -> Vec<KindAccuracy> {
    let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (post, predicted) in predicted {
        let kind = match (post.label, &post.cause) {
            (Some(Label::Real), _) => "real",
            (Some(Label::Fake), Some(cause)) => cause,
            _ => continue,
        };
        let [n, right] = counts.entry(kind).or_default();
        *n += 1;
        *right += usize::from(post.label == Some(predicted));
    }
    let kind = |(kind, [n, right]): (&str, [usize; 2])| KindAccuracy {
        kind: kind.to_owned(),
        n,
        accuracy: share(right, n),
    };
    counts.into_iter().map(kind).collect()
}

fn class(confusion: [[usize; 2]; 2], class: usize) -> ClassMetrics {
    let right = confusion[class][class];
    let taken = confusion[0][class] + confusion[1][class];
    let there = confusion[class][0] + confusion[class][1];
    ClassMetrics {
        precision: share(right, taken),
        recall: share(right, there),
        f1: share(2 * right, taken + there),
    }
}

fn share(part: usize, whole: usize) -> f64 {
    match whole {
        0 => 0.0,
        _ => part as f64 / whole as f64,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scoring::scored::tests::scored;
    use proptest::prelude::*;

    #[test]
    fn figures_are_those_of_the_confusion_matrix() {
        let posts = [(1.0, 1), (2.0, 1), (-1.0, 1), (3.0, 0), (-2.0, 0)];
        let metrics = Metrics::of(&scored(&posts));
        assert_eq!(metrics.confusion, [[1, 1], [1, 2]]);
        assert_eq!((metrics.n, metrics.accuracy), (5, 0.6));
        assert!((metrics.fake.precision - 2.0 / 3.0).abs() < 1e-12);
        assert!((metrics.fake.f1 - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((metrics.real.precision, metrics.real.recall), (0.5, 0.5));
        // fakes above reals: 1 > -2, 2 > -2, -1 > -2 of six pairs
        assert_eq!(metrics.auroc, Some(0.5));
    }

    #[test]
    fn loss_is_the_cross_entropy_and_finite_for_large_logits() {
        let even = Metrics::of(&scored(&[(0.0, 1), (0.0, 0)]));
        assert!((even.loss - std::f64::consts::LN_2).abs() < 1e-12);
        let sure = Metrics::of(&scored(&[(1000.0, 0)]));
        assert_eq!(sure.loss, 1000.0);
        assert_eq!(sure.auroc, None);
    }

    #[test]
    fn causes_are_counted_apart() {
        let post = |label, cause: Option<&str>| Post {
            id: String::new(),
            text: String::new(),
            images: Vec::new(),
            label: Some(label),
            split: mmfnd_posts::Split::Test,
            event: None,
            ocr_text: None,
            cause: cause.map(str::to_owned),
        };
        let tamper = post(Label::Fake, Some("tamper"));
        let (real, unknown) = (post(Label::Real, None), post(Label::Fake, None));
        let predicted = [
            (&tamper, Label::Fake),
            (&tamper, Label::Real),
            (&real, Label::Real),
            (&unknown, Label::Fake),
        ];
        let kinds: Vec<_> = by_cause(predicted)
            .into_iter()
            .map(|k| (k.kind, k.n, k.accuracy))
            .collect();
        assert_eq!(
            kinds,
            [("real".to_owned(), 1, 1.0), ("tamper".to_owned(), 2, 0.5)]
        );
    }

    proptest! {
        #[test]
        fn metrics_lie_between_zero_and_one(posts in prop::collection::vec((-9.0f32..9.0, 0usize..2), 0..40)) {
            let metrics = Metrics::of(&scored(&posts));
            let Metrics { fake, real, .. } = &metrics;
            let shares = [metrics.accuracy, metrics.ece, metrics.auprc.unwrap_or(0.0), metrics.macro_f1, fake.precision, fake.recall, fake.f1, real.precision, real.recall, real.f1];
            prop_assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{metrics:?}");
            prop_assert!(metrics.auroc.is_none_or(|area| (0.0..=1.0).contains(&area)));
            prop_assert!(metrics.loss >= 0.0);
        }
    }
}
