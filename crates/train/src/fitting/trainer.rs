//! The training loop: AdamW over shuffled batches, a report an epoch, the best epoch by the split that is selected on.

use std::time::Instant;

use burn::tensor::Tensor;
use mmfnd_posts::Post;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::epoch_report::EpochReport;
use super::state::State;
use crate::Error;
use crate::config::{Select, TrainConfig};
use crate::data::{Dataset, Prefetch, Splits, labels};
use crate::heads::{Head, Noise, backward};
use crate::optim::{Loss, Rates, clip, cross_entropy};
use crate::scoring::metrics::{Metrics, Scored};
use crate::scoring::{GateUse, GateUseMeter, Prediction, Scorer, pairs};
use crate::weights::numbers;

/// What a training works on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trainer<'a> {
    pub dataset: &'a Dataset<'a>,
    pub posts: &'a [Post],
    pub splits: &'a Splits,
    pub config: &'a TrainConfig,
    pub loss: Loss,
    pub rates: Rates,
    /// With autodiff.
    pub device: &'a burn::tensor::Device,
    /// Whether the test posts are looked at after each epoch.
    pub test_each_epoch: bool,
}

impl Trainer<'_> {
    /// One pass over the training posts.
    pub fn epoch<H: Head>(&self, mut state: State<H>) -> Result<(State<H>, EpochReport), Error> {
        let start = Instant::now();
        state.epoch += 1;
        let order = self.order(state.epoch);
        let mut steps = Vec::new();
        let batches = order.chunks(self.config.batch_size);
        let batches = batches.filter(|rows| rows.len() > 1); // a batch of one post has no variance
        let batched = batches.clone().map(<[_]>::to_vec).collect();
        let mut prefetch = Prefetch::new(self.dataset, batched);
        for rows in batches {
            state.step += 1;
            let noise = Noise::new(self.config.seed, state.step);
            let output = state.head.forward(prefetch.next(self.device)?, Some(noise));
            let targets = self.loss.targets(&labels(self.posts, rows), self.device);
            let loss = cross_entropy(output.logits.clone(), targets);
            let mut gradients = backward(&loss, output.cuts);
            if self.config.clip_norm > 0.0 {
                clip(&state.head, &mut gradients, self.config.clip_norm);
            }
            let rate = self.rates.at(state.step - 1);
            state.optimizer.set_learning_rate(rate);
            state.head = state.optimizer.step(state.head, &mut gradients);
            steps.push((loss.detach(), output.logits.detach()));
        }
        let last_step = steps.len();
        let train = self.training_metrics(&order, steps, state.epoch)?;
        let trained = start.elapsed();
        let (head, rows) = (
            state.head.valid(),
            self.splits.rows(self.config.select.split()),
        );
        let (selection, gates) = self.evaluate(&head, rows)?;
        if !selection.loss.is_finite() {
            // the last step of an epoch has no loss behind it that would tell
            return Err(Error::Diverged {
                epoch: state.epoch,
                step: last_step,
                loss: selection.loss as f32,
            });
        }
        let test = self.test(&head, &selection)?;
        let best = state.keep_if_best(&selection);
        let report = EpochReport {
            epoch: state.epoch,
            epochs: self.config.epochs,
            train,
            selection,
            by: self.config.select,
            test,
            best,
            collapsed: gates.iter().flat_map(GateUse::collapsed).collect(),
            gates,
            seconds: start.elapsed().as_secs_f64(),
            evaluation_seconds: (start.elapsed() - trained).as_secs_f64(),
        };
        Ok((state, report))
    }

    /// Whether there is nothing left to train: all epochs are done, or the last ones were no better.
    pub fn is_done<H>(&self, state: &State<H>) -> bool {
        let TrainConfig {
            epochs, patience, ..
        } = *self.config;
        let best = state.best.as_ref().map_or(0, |best| best.epoch);
        state.epoch >= epochs || (patience > 0 && state.epoch - best >= patience)
    }

    /// Metrics of posts at inference, and use of the experts while they were scored.
    fn evaluate(&self, head: &impl Head, rows: &[usize]) -> Result<(Metrics, Vec<GateUse>), Error> {
        let scorer = Scorer {
            forward: &|inputs| head.forward(inputs, None),
            dataset: self.dataset,
            device: &self.device.clone().without_autodiff(),
        };
        let mut meter = GateUseMeter::default();
        let mut on_gates = |gates, posts| meter.add(gates, posts);
        let predictions = scorer.predict_with_gates(rows, &mut on_gates)?;
        let logits = predictions.iter().map(|prediction| prediction.logits);
        Ok((Metrics::of(&self.scored(rows, logits)), meter.means()))
    }

    /// Metrics of the test posts, where they are asked for; what is selected on the test posts has them already.
    fn test(&self, head: &impl Head, selection: &Metrics) -> Result<Option<Metrics>, Error> {
        if !self.test_each_epoch {
            return Ok(None);
        }
        if self.config.select == Select::Test {
            return Ok(Some(selection.clone()));
        }
        let labelled = |row: &usize| self.posts[*row].label.is_some();
        let rows: Vec<_> = self.splits.test.iter().copied().filter(labelled).collect();
        match rows.is_empty() {
            true => Ok(None),
            false => Ok(Some(self.evaluate(head, &rows)?.0)),
        }
    }

    /// Metrics of the labelled ones among posts, if there are any.
    pub fn metrics(&self, rows: &[usize], predictions: &[Prediction]) -> Option<Metrics> {
        let logits = predictions.iter().map(|prediction| prediction.logits);
        let scored = self.scored(rows, logits);
        (!scored.is_empty()).then(|| Metrics::of(&scored))
    }

    /// The rows of an epoch, by seed and epoch alone.
    fn order(&self, epoch: usize) -> Vec<usize> {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.config.seed.to_le_bytes());
        key[8..16].copy_from_slice(&(epoch as u64).to_le_bytes());
        let mut order = self.splits.train.clone();
        order.shuffle(&mut ChaCha8Rng::from_seed(key));
        order
    }

    /// Read at the end of the epoch, so that no step waits for the device.
    fn training_metrics(
        &self,
        order: &[usize],
        steps: Vec<(Tensor<1>, Tensor<2>)>,
        epoch: usize,
    ) -> Result<Metrics, Error> {
        let mut logits = Vec::with_capacity(order.len());
        for (index, (loss, step)) in steps.into_iter().enumerate() {
            let loss = numbers(loss)[0];
            if !loss.is_finite() {
                let step = index + 1;
                return Err(Error::Diverged { epoch, step, loss });
            }
            logits.extend(pairs(step));
        }
        Ok(Metrics::of(&self.scored(order, logits.into_iter())))
    }

    fn scored(&self, rows: &[usize], logits: impl Iterator<Item = [f32; 2]>) -> Vec<Scored> {
        let scored = |(&row, logits): (&usize, [f32; 2])| {
            let label = self.posts[row].label?.index();
            Some(Scored { logits, label })
        };
        rows.iter().zip(logits).filter_map(scored).collect()
    }
}
