//! The learning rate of each step: a linear warm-up, then constant or a half cosine.

use std::f64::consts::PI;

use crate::config::{Schedule, TrainConfig};

/// What becomes of the learning rate over a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    rate: f64,
    schedule: Schedule,
    warm_up: u64,
    steps: u64,
}

impl Rates {
    /// Of a run with so many steps an epoch.
    pub fn new(config: &TrainConfig, steps_per_epoch: usize) -> Self {
        let steps = |epochs: f64| (epochs * steps_per_epoch as f64).round() as u64;
        Self {
            rate: config.learning_rate,
            schedule: config.schedule,
            warm_up: steps(config.warmup_epochs),
            steps: steps(config.epochs as f64),
        }
    }

    /// Of step s, counted from 0, of S steps in all, W of them warm-up: rate · (s + 1) / W while s < W; then the rate
    /// itself, or rate · (1 + cos(π (s − W) / (S − W))) / 2.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return self.rate * (step + 1) as f64 / self.warm_up as f64;
        }
        match self.schedule {
            Schedule::Constant => self.rate,
            Schedule::Cosine => {
                let done = (step - self.warm_up) as f64 / (self.steps - self.warm_up) as f64;
                self.rate * (1.0 + (PI * done).cos()) / 2.0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, warmup_epochs: f64) -> Vec<f64> {
        let config = TrainConfig {
            learning_rate: 1.0,
            epochs: 2,
            schedule,
            warmup_epochs,
            ..TrainConfig::default()
        };
        let rates = Rates::new(&config, 4);
        (0..8).map(|step| rates.at(step)).collect()
    }

    #[test]
    fn a_constant_rate_is_the_rate() {
        assert_eq!(rates(Schedule::Constant, 0.0), [1.0; 8]);
    }

    #[test]
    fn a_cosine_starts_at_the_rate_and_is_half_of_it_in_the_middle() {
        let rates = rates(Schedule::Cosine, 0.0);
        assert_eq!(rates[0], 1.0);
        assert!((rates[4] - 0.5).abs() < 1e-12);
        assert!(rates.windows(2).all(|pair| pair[1] < pair[0]) && rates[7] > 0.0);
    }

    #[test]
    fn a_warm_up_rises_to_the_rate() {
        let rates = rates(Schedule::Cosine, 1.0);
        assert_eq!(rates[..5], [0.25, 0.5, 0.75, 1.0, 1.0]);
        assert!((rates[6] - 0.5).abs() < 1e-12);
    }
}
