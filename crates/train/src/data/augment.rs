//! Pictures that look a little different each time a ResNet is trained on them: a random part, perhaps mirrored, as
//! torchvision's `RandomResizedCrop` and `RandomHorizontalFlip` draw them.

use mmfnd_features::Key;
use mmfnd_pictures::Part;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws before the middle of the picture is taken.
const TRIES: usize = 10;
/// The narrowest and the widest part, as width by height.
const RATIOS: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];

/// What is drawn for the pictures of a batch depends on the run's seed, the batch and the picture alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Augment {
    pub seed: u64,
    /// Batches of the run before it.
    pub batch: u64,
    /// The least share of a picture that a part is.
    pub smallest: f64,
}

impl Augment {
    /// That of a later batch.
    pub fn later(self, batches: usize) -> Self {
        Self {
            batch: self.batch + batches as u64,
            ..self
        }
    }

    /// A part of a picture of this width and height.
    pub fn part(&self, key: &Key, [width, height]: [u32; 2]) -> Part {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&self.batch.to_le_bytes());
        seed[16..].copy_from_slice(key.as_bytes());
        let mut random = ChaCha8Rng::from_seed(seed);
        let is_mirrored = random.random();
        let mut between = |low: f64, high: f64| low + (high - low) * random.random::<f64>();
        for _ in 0..TRIES {
            let area = f64::from(width) * f64::from(height) * between(self.smallest, 1.0);
            let ratio = between(RATIOS[0].ln(), RATIOS[1].ln()).exp();
            let size =
                [(area * ratio).sqrt(), (area / ratio).sqrt()].map(|side| side.round() as u32);
            if (1..=width).contains(&size[0]) && (1..=height).contains(&size[1]) {
                let mut start = |room: u32| between(0.0, f64::from(room) + 1.0) as u32;
                let (left, top) = (start(width - size[0]), start(height - size[1]));
                return Part {
                    across: left..left + size[0],
                    down: top..top + size[1],
                    is_mirrored,
                };
            }
        }
        middle([width, height], is_mirrored)
    }
}

/// As much of the middle as no side is too long of.
fn middle([width, height]: [u32; 2], is_mirrored: bool) -> Part {
    let limit = |side: u32, other: u32| {
        let longest = (f64::from(other) * RATIOS[1]).round() as u32;
        let kept = side.min(longest.max(1));
        let start = (side - kept) / 2;
        start..start + kept
    };
    Part {
        across: limit(width, height),
        down: limit(height, width),
        is_mirrored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(size: [u32; 2], smallest: f64) -> Vec<Part> {
        let augment = Augment {
            seed: 1,
            batch: 0,
            smallest,
        };
        let key = Key::of(b"a picture");
        (0..2_000)
            .map(|batch| augment.later(batch).part(&key, size))
            .collect()
    }

    #[test]
    fn parts_lie_in_the_picture_and_have_torchvisions_sizes() {
        let parts = parts([400, 300], 0.25);
        let (mut smallest, mut sum, mut mirrored) = (f64::MAX, 0.0, 0);
        for part in &parts {
            assert!(part.across.end <= 400 && part.down.end <= 300, "{part:?}");
            let (width, height) = (part.across.len() as f64, part.down.len() as f64);
            let ratio = width / height;
            assert!((0.74..1.35).contains(&ratio), "{part:?}");
            let share = width * height / 120_000.0;
            (smallest, sum) = (share.min(smallest), sum + share);
            mirrored += usize::from(part.is_mirrored);
        }
        // of 200,000 draws of torchvision 0.26: mean 0.523
        let mean = sum / parts.len() as f64;
        assert!((0.24..0.27).contains(&smallest), "{smallest}");
        assert!((mean - 0.523).abs() < 0.015, "{mean}");
        assert!((900..1_100).contains(&mirrored), "{mirrored}");
    }

    #[test]
    fn of_a_picture_that_is_too_long_the_middle_is_taken() {
        for part in parts([3_000, 10], 0.9) {
            assert_eq!((part.across, part.down), (1_493..1_506, 0..10));
        }
    }

    #[test]
    fn seed_batch_and_picture_decide_alone() {
        let draw = |seed, batch, picture: &[u8]| {
            let smallest = 0.1;
            let augment = Augment {
                seed,
                batch,
                smallest,
            };
            augment.part(&Key::of(picture), [640, 480])
        };
        let first = draw(1, 2, b"a");
        assert_eq!(first, draw(1, 2, b"a"));
        for other in [draw(2, 2, b"a"), draw(1, 3, b"a"), draw(1, 2, b"b")] {
            assert_ne!(first, other);
        }
    }
}
