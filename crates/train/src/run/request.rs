//! What a run is asked for, and what it gives back.

use std::path::PathBuf;
use std::time::Duration;

use mmfnd_features::Features;
use mmfnd_pictures::Preprocessing;
use mmfnd_posts::Post;

use super::final_metrics::RunMetrics;
use super::info::RunInfo;
use crate::Device;
use crate::config::Config;
use crate::data::CardFeatures;
use crate::fitting::Watch;
use crate::scoring::Prediction;

/// Where a run goes and what it runs on.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The run directory.
    pub out: PathBuf,
    /// Where it is computed.
    pub device: Device,
    /// Continue what stands in the directory.
    pub resume: bool,
    /// Replace what stands in the directory.
    pub overwrite: bool,
    /// Fingerprint of the store that the features come from.
    pub store: String,
    /// The git commit of the program, where it is known.
    pub commit: Option<String>,
    /// Look at the test posts after each epoch, for [`RunMetrics::best_test`]; the epoch is not chosen by that.
    pub test_each_epoch: bool,
    /// What a ResNet is trained from that reads pictures.
    pub pictures: Option<PictureModel>,
    /// Least time from one checkpoint to the next, whatever `train.checkpoint_every` says.
    pub checkpoint_interval: Duration,
}

/// A preset's ResNet, to be trained from pictures.
#[derive(Clone, Debug)]
pub struct PictureModel {
    /// Its weights: safetensors, under torchvision's names.
    pub weights: PathBuf,
    /// What becomes of a picture before it.
    pub preprocessing: Preprocessing,
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct RunSummary {
    /// What `run.json` says.
    pub info: RunInfo,
    /// What `metrics.json` says.
    pub metrics: RunMetrics,
    /// Rows of the posts that have predictions, in the order of `predictions.parquet`.
    pub rows: Vec<usize>,
    /// Predictions of those rows.
    pub predictions: Vec<Prediction>,
}

/// What a run is asked for.
pub(crate) struct RunRequest<'a> {
    pub features: &'a Features,
    pub posts: &'a [Post],
    pub config: &'a Config,
    pub options: &'a RunOptions,
    /// Features that lie on the card already; none where the run brings its own there.
    pub on_card: Option<&'a CardFeatures>,
    pub watch: Watch<'a>,
}
