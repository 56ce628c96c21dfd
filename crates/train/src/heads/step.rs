//! What a batch is trained by: usually one step, the cross-entropy of the logits; a head may have several, with losses
//! of their own, in stages.

use burn::tensor::{Gradients, Tensor};

use super::graph::{Cut, backward_to_trunk};
use super::output::Output;

/// What a head is trained with where `[train]` does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// Step size of AdamW, after the warm-up.
    pub learning_rate: f64,
    /// Decay of AdamW.
    pub weight_decay: f64,
    /// Largest norm of all gradients together; 0 for any.
    pub clip_norm: f64,
    /// Whether the rate falls along half a cosine.
    pub cosine: bool,
    /// Epochs in which the rate rises.
    pub warmup_epochs: f64,
    /// Posts in a batch.
    pub batch_size: usize,
    /// Passes over the training posts.
    pub epochs: usize,
    /// Epochs without a better one after which the training ends; 0 for never.
    pub patience: usize,
}

impl Training {
    /// MMFND's (difference 11).
    pub const PAPER: Self = Self {
        learning_rate: 1e-4,
        weight_decay: 0.01,
        clip_norm: 0.0,
        cosine: false,
        warmup_epochs: 0.0,
        batch_size: 64,
        epochs: 100,
        patience: 0,
    };

    /// Adam without decay.
    pub const fn adam(learning_rate: f64, batch_size: usize, epochs: usize) -> Self {
        Self {
            learning_rate,
            weight_decay: 0.0,
            batch_size,
            epochs,
            ..Self::PAPER
        }
    }
}

/// One of the steps that each batch is trained by: forward, backward, and an update of the weights that have a
/// gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Told to [`Head::step`](super::Head::step).
    pub name: &'static str,
    /// What the cross-entropy of the logits counts in the loss; 0 where it is no part of it.
    pub class: f64,
    /// Its share of the learning rate.
    pub rate: f64,
}

impl Step {
    /// Of that name, with the cross-entropy alone.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            class: 1.0,
            rate: 1.0,
        }
    }

    /// Where the cross-entropy counts so much.
    pub const fn class(self, class: f64) -> Self {
        Self { class, ..self }
    }

    /// With this share of the learning rate.
    pub const fn rate(self, rate: f64) -> Self {
        Self { rate, ..self }
    }
}

/// A loss beside the cross-entropy of the logits.
#[derive(Clone, Debug)]
pub struct LossTerm {
    /// In `metrics.jsonl`.
    pub name: &'static str,
    /// What it counts.
    pub weight: f64,
    /// `[1]`
    pub value: Tensor<1>,
    /// How many of how many it found right, where it is a loss of choices.  `[1]`
    pub hits: Option<(Tensor<1>, usize)>,
}

impl LossTerm {
    /// Without choices.
    pub fn new(name: &'static str, weight: f64, value: Tensor<1>) -> Self {
        Self {
            name,
            weight,
            value,
            hits: None,
        }
    }

    /// Off the graph.
    pub(crate) fn detach(self) -> Self {
        Self {
            value: self.value.detach(),
            hits: self.hits.map(|(right, of)| (right.detach(), of)),
            ..self
        }
    }
}

/// What one step of training says about a batch.
#[derive(Clone, Debug)]
pub struct StepOutput {
    /// Before the softmax; of the steps of a batch exactly one has them.  `[B, C]`
    pub logits: Option<Tensor<2>>,
    /// Losses beside their cross-entropy.
    pub losses: Vec<LossTerm>,
    /// Where the graph is cut.
    pub cuts: Vec<Cut>,
    /// Where it is cut off what stands before the head.
    pub trunk: Option<Cut>,
}

impl StepOutput {
    /// Gradients of a loss that this was made into, on both sides of every cut.
    pub fn gradients(&mut self, loss: &Tensor<1>) -> Vec<Gradients> {
        let cuts = std::mem::take(&mut self.cuts);
        backward_to_trunk(loss, (cuts, self.trunk.take()))
    }

    /// Logits and losses.
    pub fn of(logits: Tensor<2>, losses: Vec<LossTerm>) -> Self {
        Self {
            logits: Some(logits),
            losses,
            cuts: Vec::new(),
            trunk: None,
        }
    }
}

impl From<Output> for StepOutput {
    fn from(output: Output) -> Self {
        Self {
            logits: Some(output.logits),
            losses: Vec::new(),
            cuts: output.cuts,
            trunk: None,
        }
    }
}
