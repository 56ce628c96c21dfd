//! The training loop: AdamW over shuffled batches, a report an epoch, the best epoch by the split that is selected on.

use std::time::Instant;

use burn::tensor::{Gradients, Tensor};
use mmfnd_posts::Post;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::epoch_report::EpochReport;
use super::network::{BACKBONE, Network};
use super::state::State;
use super::watch::BatchReport;
use crate::Error;
use crate::config::{Select, TrainConfig};
use crate::data::{Augment, Dataset, Numbering, Prefetch, Splits};
use crate::heads::{Head, Inputs, LossTerm, Noise, Step, among_threads};
use crate::optim::{Loss, Rates, add, clip, cross_entropy};
use crate::scoring::metrics::{Metrics, Scored};
use crate::scoring::{GateUse, GateUseMeter, LossReport, Prediction, Scorer, pairs};
use crate::weights::numbers;

/// What a training works on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trainer<'a> {
    pub dataset: &'a Dataset<'a>,
    pub posts: &'a [Post],
    pub splits: &'a Splits,
    pub numbering: &'a Numbering,
    /// What each batch is trained by, stage after stage.
    pub stages: &'a [Vec<Step>],
    pub config: &'a TrainConfig,
    pub loss: Loss,
    pub rates: Rates,
    /// The same for the weights of a ResNet that is trained with the head.
    pub backbone_rates: Option<Rates>,
    /// How the pictures that a ResNet is trained from are varied, where they are.
    pub augment: Option<Augment>,
    /// With autodiff.
    pub device: &'a burn::tensor::Device,
    /// Whether the test posts are looked at after each epoch.
    pub test_each_epoch: bool,
}

/// What is kept of a step until the end of the epoch, so that no step waits for the device.
struct Done {
    loss: Tensor<1>,
    /// Of the one step of a batch that has them.
    logits: Option<Tensor<2>>,
    losses: Vec<LossTerm>,
}

impl Trainer<'_> {
    /// One pass over the training posts.
    pub fn epoch<N: Network>(
        &self,
        mut state: State<N>,
        on_batch: &dyn Fn(&BatchReport),
    ) -> Result<(State<N>, EpochReport), Error> {
        let start = Instant::now();
        state.epoch += 1;
        let stage = self.stage(state.epoch);
        if let Some(before) = (state.best).take_if(|best| self.stage(best.epoch) < stage) {
            state.head = before.head.train();
        }
        let order = self.order(state.epoch);
        let mut steps = Vec::new();
        let batches = order.chunks(self.config.batch_size);
        let batches = batches.filter(|rows| rows.len() > 1); // a batch of one post has no variance
        let batches: Vec<_> = batches.map(<[_]>::to_vec).collect();
        let augment = self.augment.map(|augment| Augment {
            batch: state.step,
            ..augment
        });
        let mut prefetch = Prefetch::augmented(self.dataset, batches.clone(), augment);
        let updates = batches.chunks(self.config.accumulate);
        let before = (state.epoch as u64 - 1) * updates.len() as u64;
        let mut done = BatchReport {
            epoch: state.epoch,
            epochs: self.config.epochs,
            of_batches: batches.len(),
            of_posts: batches.iter().map(Vec::len).sum(),
            ..BatchReport::default()
        };
        for (update, batches) in (before..).zip(updates) {
            let posts: usize = batches.iter().map(Vec::len).sum();
            let mut gathered = Vec::new();
            for (number, rows) in (1..).zip(batches) {
                state.step += 1;
                let inputs = Inputs {
                    targets: Some(self.numbering.targets(self.posts, rows)),
                    ..prefetch.next(self.device)?
                };
                let pictures = inputs.pictures.as_ref();
                done.pictures += pictures.map_or(0, |pictures| pictures.maps.dims()[0]);
                for (turn, step) in self.stages[stage].iter().enumerate() {
                    let share = rows.len() as f64 / posts as f64;
                    let (inputs, is_last) = (inputs.clone(), number == batches.len());
                    let said;
                    (state, gathered, said) = among_threads(|| {
                        let said = self.gradients(&mut state, (turn, step, share), inputs);
                        let (gradients, said) = said.unzip();
                        if let Some(gradients) = gradients {
                            gathered = add(&state.head, gathered, gradients);
                        }
                        if is_last && !gathered.is_empty() {
                            let gradients = std::mem::take(&mut gathered);
                            state = self.update(state, (update, step.rate), gradients);
                        }
                        (state, gathered, said)
                    });
                    steps.extend(said);
                }
                done.batches += 1;
                done.posts += rows.len();
                on_batch(&done);
            }
        }
        let last_step = steps.len();
        let losses = LossReport::of(steps.iter().flat_map(|step| &step.losses));
        let train = self.training_metrics(&order, steps, state.epoch)?;
        let trained = start.elapsed();
        let (head, rows) = (
            state.head.valid(),
            self.splits.rows(self.config.select.split()),
        );
        let (selection, gates) = self.evaluate((&head, stage), rows)?;
        if !selection.loss.is_finite() {
            // the last step of an epoch has no loss behind it that would tell
            return Err(Error::Diverged {
                epoch: state.epoch,
                step: last_step,
                loss: selection.loss as f32,
            });
        }
        let test = self.test((&head, stage), &selection)?;
        let best = state.keep_if_best(&selection);
        let report = EpochReport {
            epoch: state.epoch,
            epochs: self.config.epochs,
            train,
            losses,
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

    /// Gradients of one step of a batch, which is a share of the posts before the weights change.
    fn gradients<N: Network>(
        &self,
        state: &mut State<N>,
        (turn, step, share): (usize, &Step, f64),
        inputs: Inputs,
    ) -> Option<(Vec<Gradients>, Done)> {
        let noise = Noise::new(self.config.seed, state.step).later(turn);
        let targets = self.loss.targets(&inputs.targets().labels, self.device);
        let mut output = (state.head).step(step.name, inputs, noise, &mut state.memory)?;
        let class = (output.logits.clone()).filter(|_| step.class > 0.0);
        let class = class.map(|logits| (step.class, cross_entropy(logits, targets)));
        let loss = total(class, &output.losses);
        let gradients = match share < 1.0 {
            true => output.gradients(&(loss.clone() * share)),
            false => output.gradients(&loss),
        };
        let done = Done {
            loss: loss.detach(),
            logits: output.logits.map(Tensor::detach),
            losses: output.losses.into_iter().map(LossTerm::detach).collect(),
        };
        Some((gradients, done))
    }

    /// Changes the weights, for the so manieth time of the run, at a share of the rate.
    fn update<N: Network>(
        &self,
        mut state: State<N>,
        (update, share): (u64, f64),
        mut gradients: Vec<Gradients>,
    ) -> State<N> {
        if self.config.clip_norm > 0.0 {
            clip(&state.head, &mut gradients, self.config.clip_norm);
        }
        let rate = self.rates.at(update) * share;
        state.optimizer.set_learning_rate(rate);
        if let Some(rates) = &self.backbone_rates {
            let rate = rates.at(update) * share;
            state.optimizer.set_group_rate(BACKBONE, rate);
        }
        state.head = state.optimizer.step(state.head, &mut gradients);
        state
    }

    /// The stage of an epoch: they are shared evenly, the last one has at least one.
    fn stage(&self, epoch: usize) -> usize {
        let stages = self.stages.len();
        stages - 1 - (self.config.epochs - epoch) * stages / self.config.epochs
    }

    /// Whether there is nothing left to train: all epochs are done, or the last ones, of the last stage, were no
    /// better.
    pub fn is_done<H>(&self, state: &State<H>) -> bool {
        let TrainConfig {
            epochs, patience, ..
        } = *self.config;
        let best = state.best.as_ref().map_or(0, |best| best.epoch);
        let is_last_stage = best > 0 && self.stage(best) + 1 == self.stages.len();
        state.epoch >= epochs || (patience > 0 && is_last_stage && state.epoch - best >= patience)
    }

    /// Metrics of posts at inference, and use of the experts while they were scored.
    fn evaluate(
        &self,
        (network, stage): (&impl Network, usize),
        rows: &[usize],
    ) -> Result<(Metrics, Vec<GateUse>), Error> {
        let scorer = Scorer {
            forward: &|inputs| network.head().score(stage, inputs),
            backbone: network.backbone(),
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
    fn test(
        &self,
        trained: (&impl Network, usize),
        selection: &Metrics,
    ) -> Result<Option<Metrics>, Error> {
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
            false => Ok(Some(self.evaluate(trained, &rows)?.0)),
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

    /// Read once, at the end of the epoch, so that no step waits for the device.
    fn training_metrics(
        &self,
        order: &[usize],
        steps: Vec<Done>,
        epoch: usize,
    ) -> Result<Metrics, Error> {
        let (losses, logits): (Vec<_>, Vec<_>) =
            (steps.into_iter().map(|done| (done.loss, done.logits))).unzip();
        let losses = numbers(Tensor::cat(losses, 0));
        if let Some(index) = losses.iter().position(|loss| !loss.is_finite()) {
            let (step, loss) = (index + 1, losses[index]);
            return Err(Error::Diverged { epoch, step, loss });
        }
        let logits: Vec<_> = logits.into_iter().flatten().collect();
        let logits = match logits.is_empty() {
            true => Vec::new(), // of steps that only losses of the head's own are for
            false => pairs(Tensor::cat(logits, 0)),
        };
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

/// The sum of losses, each with what it counts.
fn total(class: Option<(f64, Tensor<1>)>, losses: &[LossTerm]) -> Tensor<1> {
    let named = losses.iter().map(|loss| (loss.weight, loss.value.clone()));
    let terms = class.into_iter().chain(named);
    let weighted = terms.map(|(weight, value)| if weight == 1.0 { value } else { value * weight });
    let sum = weighted.reduce(|a, b| a + b);
    sum.expect("a step has at least one loss")
}
