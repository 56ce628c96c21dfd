//! What the order and the size of the scores say: areas under the ROC and the precision–recall curve, and calibration.

use super::scored::Scored;

/// Bins of the calibration error: of equal width, each with its upper edge.
const BINS: usize = 15;

/// Score and label of each post, in ascending order, by the margin of the logits: a probability near 0 or 1 has lost
/// the order.
fn sorted(scored: &[Scored]) -> Vec<(f64, usize)> {
    let score = |post: &Scored| f64::from(post.logits[1]) - f64::from(post.logits[0]);
    let mut sorted: Vec<_> = (scored.iter())
        .map(|post| (score(post), post.label))
        .collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    sorted
}

fn fakes(posts: &[(f64, usize)]) -> usize {
    posts.iter().filter(|(_, label)| *label == 1).count()
}

/// Area under the ROC curve by ranks (Mann–Whitney), ties counting half; none where there is one class only.
pub(crate) fn auroc(scored: &[Scored]) -> Option<f64> {
    let sorted = sorted(scored);
    let fakes_in_all = fakes(&sorted);
    let reals_in_all = sorted.len() - fakes_in_all;
    if fakes_in_all == 0 || reals_in_all == 0 {
        return None;
    }
    let (mut pairs, mut reals_below) = (0.0, 0);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let fakes_here = fakes(tied);
        let reals_here = tied.len() - fakes_here;
        pairs += fakes_here as f64 * (reals_below as f64 + reals_here as f64 / 2.0);
        reals_below += reals_here;
    }
    Some(pairs / (fakes_in_all as f64 * reals_in_all as f64))
}

/// Average precision of the class fake: Σ (recall gained at a threshold) · (precision there), from the largest score
/// down; none where there is one class only.
pub(crate) fn auprc(scored: &[Scored]) -> Option<f64> {
    let mut sorted = sorted(scored);
    sorted.reverse();
    let fakes_in_all = fakes(&sorted);
    if fakes_in_all == 0 || fakes_in_all == sorted.len() {
        return None;
    }
    let (mut area, mut taken, mut right) = (0.0, 0, 0);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let fakes_here = fakes(tied);
        taken += tied.len();
        right += fakes_here;
        area += fakes_here as f64 * right as f64 / taken as f64;
    }
    Some(area / fakes_in_all as f64)
}

/// Expected calibration error of p_fake: Σ over bins of (share of the posts) · |share of fakes − mean p_fake|; 0
/// without posts.
pub(crate) fn ece(scored: &[Scored]) -> f64 {
    let edges: Vec<_> = (1..BINS).map(|i| i as f64 / BINS as f64).collect();
    let mut bins = [(0.0, 0.0); BINS]; // sums of p_fake and of fakes
    for post in scored {
        let p_fake = post.p_fake();
        let bin = &mut bins[edges.partition_point(|edge| *edge < p_fake)];
        bin.0 += p_fake;
        bin.1 += post.label as f64;
    }
    let gaps = bins.iter().map(|(p_fake, fakes)| (p_fake - fakes).abs());
    gaps.sum::<f64>() / scored.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoring::scored::tests::scored;

    #[test]
    fn average_precision_is_that_of_the_steps() {
        // from above: fake (1/1), real, fake (2/3)
        let posts = scored(&[(3.0, 1), (2.0, 0), (1.0, 1)]);
        let expected = 0.5 + 0.5 * 2.0 / 3.0;
        assert!(auprc(&posts).is_some_and(|area| (area - expected).abs() < 1e-12));
        assert_eq!(auprc(&scored(&[(1.0, 1), (0.0, 1)])), None);
    }

    #[test]
    fn a_coin_that_knows_its_chances_is_calibrated() {
        assert!(ece(&scored(&[(0.0, 1), (0.0, 0)])) < 1e-12);
        assert!((ece(&scored(&[(0.0, 1), (0.0, 1)])) - 0.5).abs() < 1e-12);
        assert!((ece(&scored(&[(50.0, 1), (-50.0, 1)])) - 0.5).abs() < 1e-12);
        assert_eq!(ece(&[]), 0.0);
    }

    #[test]
    fn ties_count_half() {
        assert_eq!(auroc(&scored(&[(1.0, 1), (1.0, 0)])), Some(0.5));
    }
}
