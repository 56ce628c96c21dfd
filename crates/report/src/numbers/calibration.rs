//! Whether a probability means what it says.

use super::Scored;

/// Bins of equal width, as many as for the calibration error of the metrics; a bin has its upper edge.
const BINS: usize = 15;

/// The posts whose p_fake lies in a bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Posts.
    pub n: usize,
    /// Mean of p_fake.
    pub p_fake: f64,
    /// Share of fakes.
    pub fakes: f64,
}

/// The bins that have posts.
pub fn bins(posts: &[Scored]) -> Vec<Bin> {
    let mut sums = [(0_usize, 0.0, 0_usize); BINS];
    for &(p_fake, fake) in posts {
        let bin = (p_fake * BINS as f64).ceil() as usize;
        let sum = &mut sums[bin.clamp(1, BINS) - 1];
        *sum = (sum.0 + 1, sum.1 + p_fake, sum.2 + usize::from(fake));
    }
    let filled = sums.into_iter().filter(|(n, ..)| *n > 0);
    let bin = |(n, p_fake, fakes)| Bin {
        n,
        p_fake: p_fake / n as f64,
        fakes: fakes as f64 / n as f64,
    };
    filled.map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_has_its_upper_edge() {
        let posts = [(0.0, false), (1.0 / 15.0, true), (0.07, true), (1.0, true)];
        let bins = bins(&posts);
        assert_eq!(bins.iter().map(|bin| bin.n).collect::<Vec<_>>(), [2, 1, 1]);
        assert_eq!((bins[0].fakes, bins[2].p_fake), (0.5, 1.0));
    }
}
