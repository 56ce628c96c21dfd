//! `mmfnd train`: stage 2, a head over the features of a store.

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use mmfnd_features::{Features, Store};
use mmfnd_posts::{Post, Split};
use mmfnd_train::{
    BatchReport, Config, Device, EpochReport, RunOptions, RunSummary, Watch, train_watched,
};

use crate::heads::events::RunEvents;
use crate::show::batch_progress::BatchProgress;
use crate::show::count::count;
use crate::show::metrics::RunTable;
use crate::show::note::note;
use crate::show::progress::Stage;
use crate::store::load::load;
use crate::store::picture_model::picture_model;

/// Train a head over the features of a store
///
/// Writes a run directory: config.toml, run.json, metrics.jsonl (a line per epoch), metrics.json, predictions.parquet,
/// rejects.csv, weights.safetensors.
#[derive(clap::Args)]
pub struct Arguments {
    /// Posts, as `mmfnd import` writes them
    #[arg(long, value_name = "FILE")]
    posts: PathBuf,
    /// Feature store with their features
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// Folder of the run; made if there is none
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Experiment file; what it does not say is the paper's
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// One setting, such as train.epochs=20 or head.ablation=text-only; wins over the file
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Train ResNet with the head, from its fourth layer on where `--set resnet.unfreeze` does not say otherwise; the
    /// store needs its maps (`mmfnd encode --with-maps`)
    #[arg(long)]
    online_resnet: bool,
    /// With ResNet trained from pictures: the preset, a name or a TOML file, whose ResNet it is [default: the one that
    /// encoded the posts]
    #[arg(long, value_name = "PRESET")]
    preset: Option<String>,
    /// Where to compute: flex, ndarray, wgpu or cuda
    #[arg(long, default_value = "flex")]
    device: Device,
    /// Seed of first weights, order of posts, dropout and validation split; the same as --set train.seed=N
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Most megabytes of features in memory; what does not fit is read from the store as it is needed, in the same
    /// order
    /// and with the same result
    #[arg(long, value_name = "MB")]
    memory_budget: Option<u64>,
    /// Continue an interrupted run where its last checkpoint left it
    #[arg(long)]
    resume: bool,
    /// Replace the run that the folder holds
    #[arg(long, conflicts_with = "resume")]
    overwrite: bool,
    /// Write an event file for TensorBoard into RUN/tensorboard (`tensorboard --logdir RUN`)
    #[arg(long)]
    tensorboard: bool,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut settings = arguments.settings;
    settings.extend(arguments.seed.map(|seed| format!("train.seed={seed}")));
    let file = arguments.config.as_deref();
    let config = match arguments.online_resnet {
        true => Config::read_online(file, &settings)?,
        false => Config::read(file, &settings)?,
    };
    arguments.device.open()?; // before anything is read
    let posts = mmfnd_posts::read_posts(&arguments.posts)?;
    let store = Store::open(&arguments.store)?;
    let encoders = config.encoders();
    let features = load(&store, &posts, &encoders, arguments.memory_budget)?;
    let pictures = picture_model([&config], &features, arguments.preset.as_deref())?;
    let options = RunOptions {
        pictures,
        out: arguments.out,
        device: arguments.device,
        resume: arguments.resume,
        overwrite: arguments.overwrite,
        store: store.fingerprint(),
        commit: commit(),
        ..RunOptions::default()
    };
    let events = arguments.tensorboard.then(|| RunEvents::new(&options.out));
    let summary = train_with_events("train", (&features, &posts), &config, &options, events)?;
    print(&summary, &options.out).context("cannot print the summary")
}

/// The git commit that this program was built from, where the build said so.
pub(crate) fn commit() -> Option<String> {
    option_env!("MMFND_COMMIT").map(str::to_owned)
}

/// Trains with a progress bar of this name.
pub(crate) fn train_posts(
    name: &str,
    features: &Features,
    posts: &[Post],
    config: &Config,
    options: &RunOptions,
) -> anyhow::Result<RunSummary> {
    train_with_events(name, (features, posts), config, options, None)
}

/// [`train_posts`], with an event file where one was asked for.
fn train_with_events(
    name: &str,
    (features, posts): (&Features, &[Post]),
    config: &Config,
    options: &RunOptions,
    events: Option<RunEvents>,
) -> anyhow::Result<RunSummary> {
    let events = RefCell::new(events);
    let failure = RefCell::new(None);
    let epochs = config.train.epochs as u64;
    let stage = RefCell::new(Stage::start(name, epochs));
    let collapsed = RefCell::new(Vec::new());
    let show = |report: &EpochReport| {
        if report.best {
            collapsed.replace(report.collapsed.clone());
        }
        let (epoch, message) = (report.epoch as u64, message(report));
        stage.borrow_mut().update(epoch, epochs, &message);
        // the training goes on without; that no more is written is said at its end
        if let Some(Err(error)) = events
            .borrow_mut()
            .as_mut()
            .map(|events| events.add(report))
        {
            failure.borrow_mut().get_or_insert(error);
        }
    };
    let batches = RefCell::new(BatchProgress::start());
    let on_batch = |report: &BatchReport| {
        if let Some(message) = batches.borrow_mut().message(report) {
            let epochs_done = report.epoch as u64 - 1;
            stage.borrow_mut().update(epochs_done, epochs, &message);
        }
    };
    let watch = Watch {
        on_epoch: &show,
        on_batch: &on_batch,
    };
    let summary = train_watched((features, posts), config, options, watch)?;
    failure.into_inner().map_or(Ok(()), Err)?;
    let (counts, selection) = (summary.info.counts, summary.metrics.selection);
    stage.into_inner().finish(&format!(
        "{}, {}, the best is {}",
        count(counts.train, "post"),
        count(selection.epochs, "epoch"),
        selection.epoch
    ));
    for group in collapsed.into_inner() {
        note(format_args!(
            "warning: collapsed in epoch {}: {group}",
            selection.epoch
        ));
    }
    Ok(summary)
}

fn message(report: &EpochReport) -> String {
    let (train, selection) = (&report.train, &report.selection);
    format!(
        "train loss {:.3}, {} accuracy {:.3}",
        train.loss,
        report.by.split(),
        selection.accuracy
    )
}

fn print(summary: &RunSummary, out: &Path) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let (counts, info) = (summary.info.counts, &summary.info);
    writeln!(
        stdout,
        "{} posts trained on, {} for validation, {} for test, {} left out",
        counts.train, counts.validation, counts.test, counts.left_out
    )?;
    for note in &info.notes {
        writeln!(stdout, "note: {note}")?;
    }
    let splits = [Split::Validation, Split::Test];
    write!(stdout, "{}", RunTable::new(&summary.metrics, info, &splits))?;
    writeln!(stdout, "run: `{}`", out.display())
}
