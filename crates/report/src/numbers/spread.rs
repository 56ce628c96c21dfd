//! How far a figure may be trusted: intervals over seeds, and over posts where there is one seed.

use serde::Serialize;

/// Student's t for a 95 % interval, by degrees of freedom from 1.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// The same of the normal distribution.
const Z: f64 = 1.959_964;

/// A figure over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Seeds.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Standard deviation with n − 1; none for one seed.
    pub sd: Option<f64>,
    /// 95 % interval of the mean by Student's t; none for one seed.
    pub interval: Option<(f64, f64)>,
}

impl Spread {
    /// Of a value a seed; none of no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        if n == 0 {
            return None;
        }
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        let interval = sd.map(|sd| {
            let half = student_t(n - 1) * sd / (n as f64).sqrt();
            (mean - half, mean + half)
        });
        Some(Self {
            n,
            mean,
            sd,
            interval,
        })
    }
}

/// Above thirty degrees of freedom the first terms of its expansion around the normal distribution are exact to three
/// digits.
fn student_t(degrees: usize) -> f64 {
    let d = degrees as f64;
    match T.get(degrees - 1) {
        Some(t) => *t,
        None => Z + (Z.powi(3) + Z) / (4.0 * d),
    }
}

/// 95 % interval of a share of `n` independent posts, after Wilson.
pub fn wilson(share: f64, n: usize) -> (f64, f64) {
    let n = n as f64;
    let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    (middle - half, middle + half)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_three_seeds_is_that_of_students_t() {
        let spread = Spread::of(&[0.90, 0.92, 0.94]).unwrap();
        assert!((spread.mean - 0.92).abs() < 1e-12);
        assert!((spread.sd.unwrap() - 0.02).abs() < 1e-12);
        let (low, high) = spread.interval.unwrap();
        assert!((low - 0.870_32).abs() < 1e-4 && (high - 0.969_68).abs() < 1e-4); // scipy
    }

    #[test]
    fn one_seed_has_no_spread_and_none_has_no_mean() {
        assert_eq!(Spread::of(&[0.9]).unwrap().interval, None);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn many_seeds_come_near_the_normal_distribution() {
        assert!((student_t(30) - student_t(31)).abs() < 0.01);
        assert!((student_t(100) - 1.984).abs() < 1e-3);
    }

    #[test]
    fn wilsons_interval_stays_between_zero_and_one() {
        let (low, high) = wilson(0.9, 100);
        assert!((low - 0.8256).abs() < 1e-4 && (high - 0.9448).abs() < 1e-4); // statsmodels
        assert!(wilson(1.0, 10).1 <= 1.0 + 1e-12 && wilson(0.0, 10).0 >= -1e-12);
    }
}
