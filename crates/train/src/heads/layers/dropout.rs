//! Randomness that is a function of seed, step and place, so that an interrupted training resumes with that of the
//! uninterrupted one: masks of dropout, normals, draws without repetition.

use std::f64::consts::TAU;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::heads::graph::Dropped;

/// The randomness of one training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    seed: u64,
    step: u64,
    turn: u64,
}

impl Noise {
    /// That of step `step` of a run with this seed.
    pub fn new(seed: u64, step: u64) -> Self {
        Self {
            seed,
            step,
            turn: 0,
        }
    }

    /// That of a later pass over the same layers in the same step.
    pub fn later(self, turns: usize) -> Self {
        let turn = self.turn + turns as u64;
        Self { turn, ..self }
    }

    /// A generator for one place in the network.
    fn at(self, place: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        let values = [self.seed, self.step, place, self.turn];
        for (part, value) in key.chunks_exact_mut(8).zip(values) {
            part.copy_from_slice(&value.to_le_bytes());
        }
        ChaCha8Rng::from_seed(key)
    }

    /// Values from N(0, 1), by Box and Muller's method.
    pub fn normals<const D: usize>(
        self,
        place: usize,
        shape: [usize; D],
        device: &Device,
    ) -> Tensor<D> {
        let mut rng = self.at(place as u64);
        let count = shape.iter().product();
        let words: Vec<[u32; 2]> = (0..count).map(|_| [rng.random(), rng.random()]).collect();
        let normal = |words: &[u32; 2]| {
            let [a, b] = words.map(|word| (f64::from(word) + 0.5) / 2f64.powi(32));
            ((-2.0 * a.ln()).sqrt() * (TAU * b).cos()) as f32
        };
        let values: Vec<f32> = words.par_iter().with_min_len(512).map(normal).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// For each entry of `of`, the index of a list, `count` different members of that list.
    pub fn draws(
        self,
        place: usize,
        mut lists: [Vec<usize>; 2],
        of: &[usize],
        count: usize,
    ) -> Vec<Vec<usize>> {
        let mut rng = self.at(place as u64);
        let mut draw = |&index: &usize| {
            let members = &mut lists[index];
            for i in 0..count {
                let rest = (members.len() - i) as u64;
                let j = i + ((u64::from(rng.random::<u32>()) * rest) >> 32) as usize;
                members.swap(i, j);
            }
            members[..count].to_vec()
        };
        of.iter().map(&mut draw).collect()
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

    /// Which of the values are dropped, of an operation that drops them itself.
    pub(in crate::heads) fn dropped(&self, noise: Option<Noise>) -> Option<Dropped> {
        let noise = noise.filter(|_| self.probability > 0.0)?;
        let keep = 1.0 - self.probability;
        Some(Dropped {
            words: noise.at(self.place as u64),
            threshold: (keep * f64::from(u32::MAX)) as u32,
            scale: (1.0 / keep) as f32,
        })
    }

    /// Of any shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>, noise: Option<Noise>) -> Tensor<D> {
        let Some(dropped) = self.dropped(noise) else {
            return x;
        };
        let (shape, mut rng) = (x.dims(), dropped.words);
        let mask: Vec<f32> = (0..shape.iter().product())
            .map(|_| {
                if rng.random::<u32>() < dropped.threshold {
                    dropped.scale
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

    fn dropped(place: usize, noise: Option<Noise>) -> Vec<f32> {
        let x: Tensor<2> = Tensor::ones([50, 200], &Device::flex());
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
    fn later_passes_of_a_step_have_masks_of_their_own() {
        let noise = Noise::new(1, 1);
        assert_ne!(dropped(0, Some(noise)), dropped(0, Some(noise.later(1))));
    }

    #[test]
    fn normals_have_mean_0_and_deviation_1() {
        let values: Tensor<1> = Noise::new(1, 1).normals(0, [20_000], &Device::flex());
        let values: Vec<f32> = values.into_data().try_into_vec().unwrap();
        let mean = |of: fn(f64) -> f64| {
            let sum: f64 = values.iter().map(|&value| of(f64::from(value))).sum();
            sum / values.len() as f64
        };
        assert!(mean(|x| x).abs() < 0.03, "{}", mean(|x| x));
        assert!((mean(|x| x * x) - 1.0).abs() < 0.03, "{}", mean(|x| x * x));
        assert!((mean(|x| x.powi(4)) - 3.0).abs() < 0.3);
    }

    #[test]
    fn draws_are_different_members_of_the_list_that_was_asked_for() {
        let lists = [(0..5).collect(), (10..14).collect()];
        let draws = Noise::new(1, 1).draws(0, lists, &[0, 1, 1, 0], 4);
        for (drawn, low, high) in [(&draws[0], 0, 5), (&draws[1], 10, 14), (&draws[2], 10, 14)] {
            let mut sorted = drawn.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), 4, "{drawn:?}");
            assert!(drawn.iter().all(|&member| member >= low && member < high));
        }
        assert_ne!(draws[0], draws[3]);
    }

    #[test]
    fn nothing_is_dropped_without_noise() {
        assert!(dropped(0, None).iter().all(|&value| value == 1.0));
    }
}
