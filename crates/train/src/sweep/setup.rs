//! What a sweep is asked for, and the runs that it is made of.

use std::path::{Path, PathBuf};

use mmfnd_features::Features;
use mmfnd_posts::Post;

use super::grid::{Grid, Point};
use crate::run::{PictureModel, RunDir};
use crate::{Device, Error};

/// The folder of the runs in that of the sweep.
pub(super) const RUNS: &str = "runs";

/// Where a sweep goes and what it runs on.
#[derive(Clone, Debug, Default)]
pub struct SweepOptions {
    /// The sweep's folder.
    pub out: PathBuf,
    /// Where it is computed.
    pub device: Device,
    /// Runs side by side.
    pub jobs: usize,
    /// Seeds of each point: `train.seed` of the configuration and those after it.
    pub seeds: usize,
    /// Whether the test posts are looked at after each epoch, for the best-test column.
    pub best_test: bool,
    /// What a ResNet is trained from that reads pictures.
    pub pictures: Option<PictureModel>,
    /// Fingerprint of the store that the features come from.
    pub store: String,
    /// The git commit of the program, where it is known.
    pub commit: Option<String>,
}

/// A grid, what it is trained on, and where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Sweep<'a> {
    /// Of the posts, from all encoders that a point of the grid reads.
    pub features: &'a Features,
    /// What is trained on and tested.
    pub posts: &'a [Post],
    /// What is trained.
    pub grid: &'a Grid,
    /// Where it goes.
    pub options: &'a SweepOptions,
}

/// A run that belongs to a sweep.
#[derive(Clone, Debug)]
pub(super) struct PlannedRun<'a> {
    pub name: String,
    pub point: &'a Point,
    pub seed: u64,
}

impl Sweep<'_> {
    /// Seed by seed, so that a sweep that is cut short has whole grids.
    pub(super) fn planned(&self) -> Vec<PlannedRun<'_>> {
        let mut planned = Vec::new();
        for seed in self.seeds() {
            planned.extend(self.grid.points.iter().map(|point| PlannedRun {
                name: run_name(&point.name, seed),
                point,
                seed,
            }));
        }
        planned
    }

    /// The seeds.
    pub fn seeds(&self) -> Vec<u64> {
        let first = self.grid.base.train.seed;
        (0..self.options.seeds as u64)
            .map(|next| first.wrapping_add(next))
            .collect()
    }
}

/// Such as `experts=3,seed=2`.
pub(super) fn run_name(point: &str, seed: u64) -> String {
    let comma = if point.is_empty() { "" } else { "," };
    format!("{point}{comma}seed={seed}")
}

/// The folder of a run.
pub(super) fn run_folder(out: &Path, run: &str) -> PathBuf {
    out.join(RUNS).join(run)
}

/// The run directory of a run of the sweep in `out`.
pub(super) fn run_dir(out: &Path, run: &str) -> Result<RunDir, Error> {
    RunDir::open(&run_folder(out, run))
}
