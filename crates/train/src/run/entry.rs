//! From the name of a head in a configuration to what is done with that head's own type.

use burn::tensor::Device;
use mmfnd_features::Features;
use mmfnd_posts::Post;

use super::dir::RunDir;
use super::request::{RunOptions, RunRequest, RunSummary};
use super::saved_head::{self, Saved};
use super::train::train_head;
use crate::Error;
use crate::config::Config;
use crate::fitting::{EpochReport, Watch};
use crate::heads::{Head, each_head};

const HEADS: &[HeadRun] = &each_head!(HeadRun);

/// How one head is trained and read back.
struct HeadRun {
    name: &'static str,
    train: fn(&RunRequest) -> Result<RunSummary, Error>,
    load: fn(&RunDir, &Device) -> Result<Saved, Error>,
}

impl HeadRun {
    const fn of<H: Head>() -> Self {
        Self {
            name: H::NAME,
            train: train_head::<H>,
            load: saved_head::load::<H>,
        }
    }

    /// That of the head that a configuration names.
    fn named_by(config: &Config) -> &'static Self {
        let head = HEADS
            .iter()
            .find(|head| head.name == config.head.kind().name);
        head.expect("configurations know the heads of the same list")
    }
}

/// Trains a head over features and writes the run directory.
pub fn train(
    features: &Features,
    posts: &[Post],
    config: &Config,
    options: &RunOptions,
    on_epoch: &dyn Fn(&EpochReport),
) -> Result<RunSummary, Error> {
    train_watched((features, posts), config, options, Watch::epochs(on_epoch))
}

/// [`train`], told of batches as well.
pub fn train_watched(
    (features, posts): (&Features, &[Post]),
    config: &Config,
    options: &RunOptions,
    watch: Watch,
) -> Result<RunSummary, Error> {
    train_as_asked(&RunRequest {
        features,
        posts,
        config,
        options,
        on_card: None,
        watch,
    })
}

/// As [`train`].
pub(crate) fn train_as_asked(request: &RunRequest) -> Result<RunSummary, Error> {
    (HeadRun::named_by(request.config).train)(request)
}

/// The head of the best epoch of a run.
pub(super) fn load(run: &RunDir, config: &Config, device: &Device) -> Result<Saved, Error> {
    (HeadRun::named_by(config).load)(run, device)
}
