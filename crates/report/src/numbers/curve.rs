//! The ROC and the precision–recall curve of the class fake.

use super::Scored;

/// Points from the largest score down.
pub type Curve = Vec<(f64, f64)>;

/// False positive rate and true positive rate at each score; posts of one score share a point. Empty where there is
/// one class only.
pub fn roc(posts: &[Scored]) -> Curve {
    let (fakes, reals) = classes(posts);
    if fakes == 0 || reals == 0 {
        return Vec::new();
    }
    let point = |(taken, right): (usize, usize)| {
        let wrong = taken - right;
        (wrong as f64 / reals as f64, right as f64 / fakes as f64)
    };
    let steps = steps(posts).into_iter().map(point);
    [(0.0, 0.0)].into_iter().chain(steps).collect()
}

/// Recall and precision at each score. Empty where there is one class only.
pub fn precision_recall(posts: &[Scored]) -> Curve {
    let (fakes, reals) = classes(posts);
    if fakes == 0 || reals == 0 {
        return Vec::new();
    }
    let point =
        |(taken, right): (usize, usize)| (right as f64 / fakes as f64, right as f64 / taken as f64);
    steps(posts).into_iter().map(point).collect()
}

fn classes(posts: &[Scored]) -> (usize, usize) {
    let fakes = posts.iter().filter(|(_, fake)| *fake).count();
    (fakes, posts.len() - fakes)
}

/// Posts taken for fake, and fakes among them, as the threshold sinks.
fn steps(posts: &[Scored]) -> Vec<(usize, usize)> {
    let mut sorted = posts.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut taken, mut right) = (0, 0);
    let step = |tied: &[Scored]| {
        taken += tied.len();
        right += classes(tied).0;
        (taken, right)
    };
    sorted.chunk_by(|a, b| a.0 == b.0).map(step).collect()
}

/// A curve with no more points than a figure can show: those that lie on the line between their neighbours, then all
/// but every k-th.
pub fn thinned(curve: &Curve, most: usize) -> Curve {
    let is_bend = |i: usize| {
        i == 0 || i + 1 == curve.len() || {
            let ((ax, ay), (bx, by), (cx, cy)) = (curve[i - 1], curve[i], curve[i + 1]);
            ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)).abs() > 1e-12
        }
    };
    let bends: Vec<_> = (0..curve.len()).filter(|&i| is_bend(i)).collect();
    let every = bends.len().div_ceil(most.max(2)).max(1);
    let last = bends.len().saturating_sub(1);
    let keep = |(i, &index): (usize, &usize)| (i % every == 0 || i == last).then(|| curve[index]);
    bends.iter().enumerate().filter_map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSTS: [Scored; 4] = [(0.9, true), (0.8, false), (0.7, true), (0.1, false)];

    #[test]
    fn curves_go_through_every_threshold() {
        let expected = [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)];
        assert_eq!(roc(&POSTS), expected);
        let expected = [(0.5, 1.0), (0.5, 0.5), (1.0, 2.0 / 3.0), (1.0, 0.5)];
        assert_eq!(precision_recall(&POSTS), expected);
    }

    #[test]
    fn posts_of_one_score_share_a_point() {
        assert_eq!(roc(&[(0.5, true), (0.5, false)]), [(0.0, 0.0), (1.0, 1.0)]);
    }

    #[test]
    fn one_class_has_no_curve() {
        assert!(roc(&[(0.5, true)]).is_empty());
    }

    #[test]
    fn thinning_keeps_ends_and_bends() {
        let curve = vec![(0.0, 0.0), (0.0, 0.25), (0.0, 0.5), (0.5, 0.5), (1.0, 1.0)];
        let expected = [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (1.0, 1.0)];
        assert_eq!(thinned(&curve, 100), expected);
        let long = (0..1000)
            .map(|i| (f64::from(i), f64::from(i * i)))
            .collect();
        let thin = thinned(&long, 100);
        assert!(thin.len() <= 101);
        assert_eq!(thin.last(), long.last());
    }
}
