//! Vectors laid out in the plane by t-SNE (van der Maaten & Hinton 2008), the same each time.

use bhtsne::tSNE;

use super::separation::squared;

/// Points of a drawing: more would cover one another.
pub const MOST: usize = 300;

/// As in scikit-learn; a point cannot have more neighbours than a third of the others.
const PERPLEXITY: f64 = 30.0;
const STEPS: usize = 750;

/// Up to so many points all pairs are looked at, beyond that far ones together (Barnes-Hut), with the usual angle.
const EXACT: usize = 1000;
const ANGLE: f64 = 0.5;

/// A place for each vector; none where there are too few to have neighbours.
pub fn tsne(points: &[&[f32]]) -> Option<Vec<(f64, f64)>> {
    let perplexity = PERPLEXITY.min((points.len() as f64 - 1.0) / 3.0 - 0.5);
    if perplexity < 1.0 {
        return None;
    }
    // where equal vectors begin at equal places nothing ever moves them apart
    let mut state = 0_u64;
    let start: Vec<f64> = (0..2 * points.len())
        .map(|_| 1e-2 * (random(&mut state) - 0.5))
        .collect();
    // one thread: the order of the sums decides about the last bits, and those about the drawing
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .ok()?;
    let places = pool.install(|| {
        let mut tsne: tSNE<f64, &[f32], 2> = tSNE::new(points);
        tsne.perplexity(perplexity)
            .epochs(STEPS)
            .initial_embedding(start);
        let distance = |a: &&[f32], b: &&[f32]| squared(a, b).sqrt();
        match points.len() <= EXACT {
            true => tsne.exact(distance),
            false => tsne.barnes_hut(ANGLE, distance),
        };
        tsne.embedding()
    });
    let places: Vec<_> = places
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[x, y]| (*x, *y))
        .collect();
    places
        .iter()
        .all(|(x, y)| x.is_finite() && y.is_finite())
        .then_some(places)
}

/// From 0 to 1 (SplitMix64, Steele, Lea & Flood 2014).
fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) as f64 / u64::MAX as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::numbers::{purity, silhouette};

    /// Two clouds in eight dimensions.
    fn clouds() -> (Vec<Vec<f32>>, Vec<usize>) {
        let mut state = 7;
        let groups: Vec<usize> = (0..60).map(|index| index % 2).collect();
        let mut vector = |&group: &usize| {
            (0..8)
                .map(|_| random(&mut state) as f32 + 2.0 * group as f32)
                .collect()
        };
        (groups.iter().map(&mut vector).collect(), groups)
    }

    #[test]
    fn what_lies_apart_is_drawn_apart_and_the_same_each_time() {
        let (vectors, groups) = clouds();
        let vectors: Vec<_> = vectors.iter().map(Vec::as_slice).collect();
        let places = tsne(&vectors).unwrap();
        assert_eq!(places, tsne(&vectors).unwrap());
        let flat: Vec<_> = places.iter().map(|(x, y)| [*x as f32, *y as f32]).collect();
        let flat: Vec<_> = flat.iter().map(|place| place.as_slice()).collect();
        assert!(silhouette(&flat, &groups).unwrap() > 0.5);
        assert_eq!(purity(&flat, &groups), Some(1.0));
    }

    #[test]
    fn equal_vectors_have_a_place_and_few_ones_none() {
        let vectors = [[1.0_f32, 2.0].as_slice(); 12];
        assert_eq!(tsne(&vectors).unwrap().len(), 12);
        assert_eq!(tsne(&vectors[..3]), None);
    }
}
