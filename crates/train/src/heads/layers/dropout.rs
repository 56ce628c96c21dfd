//! Dropout whose mask is a function of seed, step and place: an interrupted training resumes with the masks of the
//! uninterrupted one.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The randomness of one training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    seed: u64,
    step: u64,
}

impl Noise {
    /// That of step `step` of a run with this seed.
    pub fn new(seed: u64, step: u64) -> Self {
        Self { seed, step }
    }

    /// A generator for one place in the network.
    fn at(self, place: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        for (part, value) in key.chunks_exact_mut(8).zip([self.seed, self.step, place]) {
            part.copy_from_slice(&value.to_le_bytes());
        }
        ChaCha8Rng::from_seed(key)
    }
}

/// Sets a share of the values to zero while there is noise, and scales the others up.
#[derive(Module, Debug)]
pub struct Dropout {
    probability: f64,
    place: usize,
}

impl Dropout {
    /// `place` tells the dropouts of a network apart.
    pub fn new(probability: f64, place: usize) -> Self {
        Self { probability, place }
    }

    /// # Shapes
    /// - `x`, output: `[B, D]`
    pub fn forward(&self, x: Tensor<2>, noise: Option<Noise>) -> Tensor<2> {
        let Some(noise) = noise.filter(|_| self.probability > 0.0) else {
            return x;
        };
        let (keep, shape) = (1.0 - self.probability, x.dims());
        let (scale, threshold) = ((1.0 / keep) as f32, (keep * f64::from(u32::MAX)) as u32);
        let mut rng = noise.at(self.place as u64);
        let mask: Vec<f32> = (0..shape[0] * shape[1])
            .map(|_| {
                if rng.random::<u32>() < threshold {
                    scale
                } else {
                    0.0
                }
            })
            .collect();
        let mask = Tensor::from_data(TensorData::new(mask, shape), &x.device());
        x * mask
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn dropped(place: usize, noise: Option<Noise>) -> Vec<f32> {
        let x = Tensor::ones([50, 200], &Device::flex());
        let y = Dropout::new(0.25, place).forward(x, noise);
        y.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn a_quarter_is_dropped_and_the_rest_scaled() {
        let values = dropped(0, Some(Noise::new(1, 1)));
        let zeros = values.iter().filter(|value| **value == 0.0).count();
        assert!((2300..2700).contains(&zeros), "{zeros}");
        assert!(
            values
                .iter()
                .all(|&value| value == 0.0 || value == 1.0 / 0.75)
        );
    }

    #[test]
    fn masks_differ_by_seed_step_and_place_and_by_nothing_else() {
        let mask = dropped(0, Some(Noise::new(1, 1)));
        assert_eq!(mask, dropped(0, Some(Noise::new(1, 1))));
        assert_ne!(mask, dropped(1, Some(Noise::new(1, 1))));
        assert_ne!(mask, dropped(0, Some(Noise::new(2, 1))));
        assert_ne!(mask, dropped(0, Some(Noise::new(1, 2))));
    }

    #[test]
    fn nothing_is_dropped_without_noise() {
        assert!(dropped(0, None).iter().all(|&value| value == 1.0));
    }
}
