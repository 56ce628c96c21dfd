//! How far groups of posts lie apart in what a classifier reads: the silhouette and the purity of nearest neighbours,
//! since the eye is no measure.

/// Posts of which distances are computed; of more every k-th is taken.
pub const MOST: usize = 1500;

/// Squared distance between two vectors.
pub(super) fn squared(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum()
}

/// How well points lie with their own group, as scikit-learn's `silhouette_score`: the mean over all points of
/// (b − a) / max(a, b) with the mean distance a to the own group and b to the nearest other one; 0 for a point that is
/// alone in its group. None of fewer than two groups, and where each point is a group of its own.
pub fn silhouette(points: &[&[f32]], groups: &[usize]) -> Option<f64> {
    let sizes = sizes(groups);
    let used = sizes.iter().filter(|size| **size > 0).count();
    if used < 2 || used >= points.len() {
        return None;
    }
    let of = |index: usize| {
        let own = groups[index];
        if sizes[own] == 1 {
            return 0.0;
        }
        let mut sums = vec![0.0; sizes.len()];
        for (point, &group) in points.iter().zip(groups) {
            sums[group] += squared(points[index], point).sqrt();
        }
        let a = sums[own] / (sizes[own] - 1) as f64;
        let others = (0..sizes.len()).filter(|&group| group != own && sizes[group] > 0);
        let b = others
            .map(|group| sums[group] / sizes[group] as f64)
            .fold(f64::INFINITY, f64::min);
        let larger = a.max(b);
        if larger > 0.0 { (b - a) / larger } else { 0.0 }
    };
    Some((0..points.len()).map(of).sum::<f64>() / points.len() as f64)
}

/// The share of points whose nearest other point is of their own group; of equally near ones the first counts. None of
/// fewer than two points.
pub fn purity(points: &[&[f32]], groups: &[usize]) -> Option<f64> {
    if points.len() < 2 {
        return None;
    }
    let is_pure = |index: &usize| {
        let others = (0..points.len()).filter(|other| other != index);
        let distance = |&other: &usize| squared(points[*index], points[other]);
        let nearest = others.min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.is_some_and(|nearest| groups[nearest] == groups[*index])
    };
    let pure = (0..points.len()).filter(is_pure).count();
    Some(pure as f64 / points.len() as f64)
}

fn sizes(groups: &[usize]) -> Vec<usize> {
    let mut sizes = vec![0; groups.iter().max().map_or(0, |most| most + 1)];
    groups.iter().for_each(|&group| sizes[group] += 1);
    sizes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn one_group_has_no_silhouette_and_one_point_no_neighbour() {
        let points: [&[f32]; 2] = [&[0.0], &[1.0]];
        assert_eq!(silhouette(&points, &[0, 0]), None);
        assert_eq!(silhouette(&points, &[0, 1]), None);
        assert_eq!(purity(&points[..1], &[0]), None);
        assert_eq!(purity(&points, &[0, 0]), Some(1.0));
    }

    #[test]
    fn points_that_are_all_the_same_lie_neither_well_nor_badly() {
        let points: [&[f32]; 4] = [&[1.0, 2.0]; 4];
        assert_eq!(silhouette(&points, &[0, 0, 1, 1]), Some(0.0));
    }

    /// A world of `tests/golden/separation.py`.
    #[derive(Deserialize)]
    struct Case {
        points: Vec<Vec<f32>>,
        groups: Vec<usize>,
        silhouette: f64,
        purity: f64,
    }

    #[test]
    fn both_are_those_of_scikit_learn() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/golden/separation.json"
        );
        let text = std::fs::read_to_string(path).unwrap();
        let cases: std::collections::BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&text).unwrap();
        let cases: Vec<Case> = serde_json::from_value(cases["cases"].clone()).unwrap();
        assert!(cases.len() > 3);
        for case in cases {
            let points: Vec<_> = case.points.iter().map(Vec::as_slice).collect();
            let found = silhouette(&points, &case.groups).unwrap();
            assert!(
                (found - case.silhouette).abs() < 1e-6,
                "{found} {}",
                case.silhouette
            );
            let found = purity(&points, &case.groups).unwrap();
            assert!(
                (found - case.purity).abs() < 1e-12,
                "{found} {}",
                case.purity
            );
        }
    }
}
