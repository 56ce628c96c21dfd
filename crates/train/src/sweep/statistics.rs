//! What a sweep says about its figures: mean and spread over seeds, Student's interval, McNemar's exact test, the
//! paired bootstrap.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Share of the cases in which an interval is meant to hold the true value.
pub const CONFIDENCE: f64 = 0.95;
/// Draws of the paired bootstrap.
pub const RESAMPLES: usize = 10_000;

/// A figure over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Seeds.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Standard deviation, with n − 1; none for one seed.
    pub sd: Option<f64>,
    /// Lower end of the 95 % interval of the mean (Student's t); none for one seed.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

impl Spread {
    /// Of one value a seed; none of no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        let half = sd.map(|sd| student_quantile(n - 1) * sd / (n as f64).sqrt());
        Some(Self {
            n,
            mean,
            sd,
            low: half.map(|half| mean - half),
            high: half.map(|half| mean + half),
        })
    }
}

/// McNemar's test of two classifiers on the same posts, exact.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Posts that only the first tells right.
    pub only_first: usize,
    /// Posts that only the second tells right.
    pub only_second: usize,
    /// Two-sided, by the binomial distribution.
    pub p: f64,
}

impl McNemar {
    /// Of pairs: whether the first is right, whether the second is.
    pub fn of(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let (mut only_first, mut only_second) = (0, 0);
        for (first, second) in pairs {
            only_first += usize::from(first && !second);
            only_second += usize::from(second && !first);
        }
        let (fewer, all) = (only_first.min(only_second), only_first + only_second);
        // P(X ≤ k) of n fair coins is an incomplete beta function; half of them or more on both sides is no evidence at
        // all
        let p = match 2 * fewer == all {
            true => 1.0,
            false => 2.0 * incomplete_beta(0.5, (all - fewer) as f64, fewer as f64 + 1.0),
        };
        Self {
            only_first,
            only_second,
            p: p.min(1.0),
        }
    }
}

/// Posts that are drawn together, because they share a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cluster {
    /// Sum of the posts' differences, a value per seed.
    pub sums: Vec<f64>,
    /// Posts.
    pub posts: usize,
}

/// A mean difference between two classifiers, with what the paired bootstrap says about it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Mean over posts and seeds.
    pub mean: f64,
    /// Lower end of the 95 % interval (percentiles).
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Two-sided: twice the share of draws on the rarer side of 0, at least 2 / (draws + 1).
    pub p: f64,
}

impl Difference {
    /// Draws clusters of posts with replacement, and seeds, [`RESAMPLES`] times; none where there are no posts.
    ///
    /// # Panics
    /// When clusters have different numbers of seeds.
    pub fn of(clusters: &[Cluster], seed: u64) -> Option<Self> {
        let seeds = clusters.first()?.sums.len();
        assert!(clusters.iter().all(|cluster| cluster.sums.len() == seeds));
        let posts: usize = clusters.iter().map(|cluster| cluster.posts).sum();
        if posts == 0 || seeds == 0 {
            return None;
        }
        let sum: f64 = clusters.iter().flat_map(|cluster| &cluster.sums).sum();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let draws = (0..RESAMPLES).map(|_| draw(clusters, seeds, &mut random));
        let mut means: Vec<f64> = draws.collect();
        means.sort_by(f64::total_cmp);
        let below = means.iter().filter(|mean| **mean <= 0.0).count();
        let above = means.iter().filter(|mean| **mean >= 0.0).count();
        let tail = (1.0 - CONFIDENCE) / 2.0;
        Some(Self {
            mean: sum / (posts * seeds) as f64,
            low: percentile(&means, tail),
            high: percentile(&means, 1.0 - tail),
            p: (2.0 * (1 + below.min(above)) as f64 / (RESAMPLES + 1) as f64).min(1.0),
        })
    }
}

/// The mean difference of as many clusters and as many seeds as there are, each drawn with replacement.
fn draw(clusters: &[Cluster], seeds: usize, random: &mut ChaCha8Rng) -> f64 {
    let (mut sums, mut posts) = (vec![0.0; seeds], 0);
    for _ in 0..clusters.len() {
        let cluster = &clusters[random.random_range(0..clusters.len())];
        for (sum, value) in sums.iter_mut().zip(&cluster.sums) {
            *sum += value;
        }
        posts += cluster.posts;
    }
    let sum: f64 = (0..seeds)
        .map(|_| sums[random.random_range(0..seeds)])
        .sum();
    sum / (posts * seeds) as f64
}

/// Between the two nearest of sorted values, as numpy does it.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    below + (above - below) * place.fract()
}

/// What Student's t stays below in absolute value with probability [`CONFIDENCE`], by bisection.
fn student_quantile(degrees: usize) -> f64 {
    let degrees = degrees as f64;
    let outside = |t: f64| incomplete_beta(degrees / (degrees + t * t), degrees / 2.0, 0.5);
    let (mut low, mut high) = (0.0, 1.0);
    while outside(high) > 1.0 - CONFIDENCE {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        match outside(middle) > 1.0 - CONFIDENCE {
            true => low = middle,
            false => high = middle,
        }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (Numerical Recipes, §6.4).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let log_front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    // the fraction converges quickly on this side only
    match x < (a + 1.0) / (a + b + 2.0) {
        true => log_front.exp() * beta_fraction(x, a, b) / a,
        false => 1.0 - log_front.exp() * beta_fraction(1.0 - x, b, a) / b,
    }
}

/// Lentz's method.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut c, mut d) = (1.0, 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

/// Logarithm of the gamma function, by Lanczos' approximation (g = 7, nine terms), for x ≥ 1/2.
fn ln_gamma(x: f64) -> f64 {
    #[rustfmt::skip] // Godfrey's coefficients
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1, -1_259.139_216_722_402_8, 771.323_428_777_653_1, -176.615_029_162_140_6,
        12.507_343_278_686_905, -0.138_571_095_265_720_12, 9.984_369_578_019_572e-6, 1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let terms = TERMS
        .iter()
        .zip(1..)
        .map(|(term, i)| term / (x + f64::from(i)));
    let sum = 0.999_999_999_999_809_9 + terms.sum::<f64>();
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_spread_of_one_value_has_no_deviation() {
        let spread = Spread::of(&[0.5]).unwrap();
        assert_eq!((spread.n, spread.mean), (1, 0.5));
        assert_eq!((spread.sd, spread.low), (None, None));
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn the_interval_is_students() {
        // by hand: mean 2, deviation 1, t(2 degrees) = 4.302653, half width 4.302653 / √3
        let spread = Spread::of(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!((spread.mean, spread.sd), (2.0, Some(1.0)));
        assert!((spread.high.unwrap() - 2.0 - 2.484_138).abs() < 1e-6);
    }

    #[test]
    fn coins_decide_mcnemars_test() {
        let test = |first, second| {
            let pairs = [(true, false)].repeat(first);
            McNemar::of(
                pairs
                    .into_iter()
                    .chain([(false, true)].repeat(second))
                    .chain([(true, true); 9]),
            )
        };
        // one of five heads or fewer, twice: 2 · (1 + 5) / 32
        assert!((test(1, 4).p - 12.0 / 32.0).abs() < 1e-12);
        assert_eq!((test(1, 4).only_first, test(1, 4).only_second), (1, 4));
        assert_eq!(test(3, 3).p, 1.0);
        assert_eq!(test(0, 0).p, 1.0);
        assert!((test(0, 10).p - 2.0 / 1024.0).abs() < 1e-15);
    }

    /// One post each, with a difference per seed.
    fn posts<const SEEDS: usize>(sums: &[[f64; SEEDS]]) -> Vec<Cluster> {
        let cluster = |sums: &[f64; SEEDS]| Cluster {
            sums: sums.to_vec(),
            posts: 1,
        };
        sums.iter().map(cluster).collect()
    }

    #[test]
    fn the_bootstrap_finds_a_clear_difference_and_none_where_there_is_none() {
        let clear = Difference::of(&posts(&[[1.0]; 40]), 1).unwrap();
        assert_eq!((clear.mean, clear.low), (1.0, 1.0));
        assert_eq!(clear.p, 2.0 / 10_001.0);
        let even = [[1.0], [-1.0]].repeat(20);
        let none = Difference::of(&posts(&even), 1).unwrap();
        assert!(
            none.p > 0.8 && none.low < 0.0 && none.high > 0.0,
            "{none:?}"
        );
        assert_eq!(Difference::of(&[], 1), None);
    }

    #[test]
    fn posts_that_are_drawn_together_say_less() {
        let alone = posts(&[[1.0], [0.0], [0.0]].repeat(20));
        let together = [20.0, 0.0, 0.0].map(|sum| Cluster {
            sums: vec![sum],
            posts: 20,
        });
        let alone = Difference::of(&alone, 1).unwrap();
        let together = Difference::of(&together, 1).unwrap();
        assert_eq!(alone.mean, together.mean);
        assert!(together.p > 0.5 && alone.p < 0.01, "{alone:?} {together:?}");
    }

    #[test]
    fn seeds_that_disagree_say_less() {
        // every post is better by a tenth on average: with each seed alike, or by one seed alone against two others
        let agree = Difference::of(&posts(&[[0.1, 0.1, 0.1]; 100]), 1).unwrap();
        let differ = Difference::of(&posts(&[[0.7, -0.2, -0.2]; 100]), 1).unwrap();
        assert!((agree.mean - differ.mean).abs() < 1e-12);
        assert!(agree.p < 0.01 && differ.p > 0.5, "{agree:?} {differ:?}");
    }

    proptest! {
        #[test]
        fn intervals_hold_the_mean_and_p_is_a_probability(values in prop::collection::vec(-1.0f64..1.0, 2..30)) {
            let spread = Spread::of(&values).unwrap();
            prop_assert!(spread.low.unwrap() <= spread.mean && spread.mean <= spread.high.unwrap());
            let pairs = values.windows(2).map(|pair| (pair[0] > 0.0, pair[1] > 0.0));
            let p = McNemar::of(pairs).p;
            prop_assert!(p > 0.0 && p <= 1.0, "{}", p);
        }
    }
}
