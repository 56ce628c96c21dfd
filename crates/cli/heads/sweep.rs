//! `mmfnd sweep`: every point of a grid with several seeds, and what comes out of it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use mmfnd_features::Store;
use mmfnd_train::grid::Grid;
use mmfnd_train::{Device, Event, RunRecord, Summary, Sweep, SweepOptions};

use crate::heads::events::SweepEvents;
use crate::heads::train::commit;
use crate::show::sweep_progress::Progress;
use crate::show::sweep_table::{Names, SweepTable};
use crate::store::load::load;
use crate::store::picture_model::picture_model;
use crate::threads::jobs;

/// Train every point of a grid with several seeds, several runs at once
///
/// Each run has its own folder in DIR/runs; a run that ended is a line of DIR/runs.jsonl. Started again with the same
/// command, a sweep that was interrupted goes on:
/// finished runs are left out, failed ones tried again. Ends with exit status 1 if a run failed.
#[derive(clap::Args)]
pub struct Arguments {
    /// A key of the configuration and its values, such as head.experts=1..6 (both ends included) or
    /// train.lr=1e-4,5e-4; may be given several times
    #[arg(long = "grid", value_name = "KEY=VALUES")]
    axes: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// What `sweep` and `ablate` have in common.
#[derive(clap::Args)]
pub struct Common {
    /// Posts, as `mmfnd import` writes them
    #[arg(long, value_name = "FILE")]
    pub(crate) posts: PathBuf,
    /// Feature store with their features
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Folder of the sweep; made if there is none
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Experiment file; what it does not say is the paper's
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// One setting for all runs, such as train.epochs=20; wins over the file
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Seeds of each point: train.seed (1) and the ones after it
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u16).range(1..=1000))]
    seeds: u16,
    /// Runs side by side, each on one thread [default: as many as there are cores; 1 on a graphics card]
    #[arg(long, value_name = "N", value_parser = jobs)]
    jobs: Option<usize>,
    /// Where to compute: flex, ndarray, wgpu or cuda
    #[arg(long, default_value = "flex")]
    device: Device,
    /// With ResNet trained from pictures: the preset, a name or a TOML file, whose ResNet it is [default: the one that
    /// encoded the posts]
    #[arg(long, value_name = "PRESET")]
    preset: Option<String>,
    /// Most megabytes of features in memory, shared by all runs; what does not fit each run reads from the store as it
    /// needs it
    #[arg(long, value_name = "MB")]
    memory_budget: Option<u64>,
    /// Do not look at the test posts after each epoch; saves their time, and the best-test column stays empty
    #[arg(long)]
    no_best_test: bool,
    /// Write event files for TensorBoard, into the folder `tensorboard` of each run (`tensorboard --logdir DIR`)
    #[arg(long)]
    tensorboard: bool,
}

impl Arguments {
    /// Of a sweep that another command does.
    pub(crate) fn of(axes: Vec<String>, common: Common) -> Self {
        Self { axes, common }
    }
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let grid = arguments.common.grid(&arguments.axes)?;
    let names = (None, &Names::Values);
    sweep("sweep", &grid, arguments.common, names, &|_| {
        Ok(String::new())
    })
}

/// What came out of a sweep.
pub(crate) struct Swept<'a> {
    pub(crate) grid: &'a Grid,
    pub(crate) out: &'a Path,
    pub(crate) summary: &'a Summary,
    pub(crate) records: &'a [RunRecord],
}

/// Runs a grid and prints what came out, with `more` before it; the points are compared with that of the given index,
/// or with the best.
pub(crate) fn sweep(
    name: &str,
    grid: &Grid,
    common: Common,
    (reference, names): (Option<usize>, &Names),
    more: &dyn Fn(&Swept) -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    common.device.open()?; // before anything is read
    let posts = mmfnd_posts::read_posts(&common.posts)?;
    let store = Store::open(&common.store)?;
    let features = load(&store, &posts, &encoders(grid), common.memory_budget)?;
    let configs = grid.points.iter().map(|point| &point.config);
    let pictures = picture_model(configs, &features, common.preset.as_deref())?;
    let options = SweepOptions {
        pictures,
        jobs: common.jobs(),
        out: common.out.clone(),
        device: common.device,
        seeds: common.seeds.into(),
        best_test: !common.no_best_test,
        store: store.fingerprint(),
        commit: commit(),
    };
    let sweep = Sweep {
        features: &features,
        posts: &posts,
        grid,
        options: &options,
    };
    let progress = Progress::new(name, options.jobs);
    let events = common.tensorboard.then(|| SweepEvents::new(&options.out));
    let on_event = |event: &Event| {
        progress.show(event);
        if let (Some(events), Event::Epoch { run, report }) = (&events, event) {
            events.add(run, report);
        }
    };
    let records = sweep.run(&on_event)?;
    progress.finish();
    events.map_or(Ok(()), SweepEvents::finish)?;
    let summary = Summary::of(&sweep, &records, reference)?;
    summary.write(&options.out)?;
    let table = SweepTable {
        grid,
        summary: &summary,
        names,
    };
    let more = more(&Swept {
        grid,
        out: &options.out,
        summary: &summary,
        records: &records,
    })?;
    let mut stdout = std::io::stdout().lock();
    let printed = write!(stdout, "{more}{table}");
    let printed = printed.and_then(|()| {
        writeln!(
            stdout,
            "summary: `{}`",
            options.out.join("summary.json").display()
        )
    });
    printed.context("cannot print the summary")?;
    match summary.failed {
        0 => Ok(()),
        failed => bail!(
            "{failed} of {} runs failed; `{}` says why, and the same command tries them again",
            records.len(),
            options.out.join("runs.jsonl").display()
        ),
    }
}

impl Common {
    /// On the processor, as a user would ask for it.
    pub(crate) fn of(
        (posts, store): (PathBuf, PathBuf),
        out: PathBuf,
        settings: Vec<String>,
        seeds: u16,
    ) -> Self {
        Self {
            posts,
            store,
            out,
            config: None,
            settings,
            seeds,
            jobs: None,
            device: Device::default(),
            preset: None,
            memory_budget: None,
            no_best_test: false,
            tensorboard: false,
        }
    }

    pub(crate) fn grid(&self, axes: &[String]) -> anyhow::Result<Grid> {
        Ok(Grid::read(self.config.as_deref(), &self.settings, axes)?)
    }

    /// A graphics card runs one training after the other.
    fn jobs(&self) -> usize {
        let is_card = matches!(self.device, Device::Wgpu | Device::Cuda);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let default = if is_card { 1 } else { cores };
        self.jobs.unwrap_or(default)
    }
}

/// What at least one point reads.
fn encoders(grid: &Grid) -> Vec<&'static str> {
    let all = grid.points.iter().flat_map(|point| point.config.encoders());
    let all: BTreeSet<_> = all.collect();
    all.into_iter().collect()
}
