//! What `metrics.jsonl` says of an epoch.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::Select;
use crate::scoring::metrics::Metrics;
use crate::scoring::{GateUse, LossReport};

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// From 1.
    pub epoch: usize,
    /// Of how many.
    pub epochs: usize,
    /// Of the training posts, in training mode: with dropout, while the weights changed.
    pub train: Metrics,
    /// The losses that the head names beside the cross-entropy of its logits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub losses: BTreeMap<String, LossReport>,
    /// Of the split that is selected on, at inference.
    pub selection: Metrics,
    /// Which split that is.
    pub by: Select,
    /// Metrics of the test posts at inference, where they are looked at after each epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Metrics>,
    /// Whether this is the best epoch so far.
    pub best: bool,
    /// Use of the experts by each gate, at inference, over posts of that split.
    pub gates: Vec<GateUse>,
    /// Groups of experts that have collapsed, and where.
    pub collapsed: Vec<String>,
    /// Time it took.
    pub seconds: f64,
    /// The part of it that went into what is computed on the split that is selected on.
    #[serde(default)] // earlier versions did not say
    pub evaluation_seconds: f64,
}
