//! The page over what the demo trained, and the sweeps that fill its figures.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use mmfnd_features::{Features, Store};
use mmfnd_posts::{Post, Split};
use mmfnd_train::{Device, ENCODERS, Model as Head, RunDir, write_predictions_with_aggregate};

use super::Model;
use crate::heads::{ablate, sweep};
use crate::report::write_page;
use crate::show::note::note;
use crate::show::progress::{Stage, duration};

pub(super) const SWEEP: &str = "sweep";
pub(super) const ABLATIONS: &str = "ablations";
pub(super) const PAGE: &str = "report.html";

/// Numbers of experts that are tried, as in figures 4 and 5 of the paper.
const EXPERTS: &str = "head.experts=1..5";
const SEEDS: u16 = 3;

/// Runs of the two sweeps.
const RUNS: u32 = (5 + 9) * SEEDS as u32;

/// The heads whose vectors are drawn in figure 6.
const DRAWN: [&str; 2] = ["mmfnd", "without-p"];

/// The paper's figures 4 and 5 and its table 2, in miniature; what is finished already is not done again.
pub(super) fn sweeps(out: &Path, settings: &[String], models: &[Model]) -> anyhow::Result<()> {
    let one = models.first().map_or(Duration::ZERO, |model| model.time);
    note(format_args!(
        "{RUNS} trainings follow, about {} if none is there already",
        duration(one * RUNS)
    ));
    let common = |name: &str, settings: Vec<String>| {
        let (posts, store) = (out.join("posts/posts.parquet"), out.join("store"));
        sweep::Common::of((posts, store), out.join(name), settings, SEEDS)
    };
    // the axes set head.ablation themselves
    let shared = settings
        .iter()
        .filter(|setting| !setting.starts_with("head."));
    let shared: Vec<_> = shared.cloned().collect();
    ablate::run(ablate::Arguments::of(common(ABLATIONS, shared.clone())))?;
    let experts = sweep::Arguments::of(vec![EXPERTS.to_owned()], common(SWEEP, shared));
    sweep::run(experts)
}

/// Keeps what the classifiers of figure 6 read, and writes the page.
pub(super) fn write(out: &Path, posts: &[Post]) -> anyhow::Result<()> {
    let stage = Stage::start("page", 1);
    let store = Store::open(&out.join("store"))?;
    let features = Features::load(&store, posts, &ENCODERS)?;
    let ablations = out.join(ABLATIONS).join("runs");
    for (name, ablation) in DRAWN.into_iter().zip(["none", "without-p"]) {
        let of_sweep = ablations.join(format!("ablation={ablation},seed=1"));
        for run in [out.join("runs").join(name), of_sweep] {
            if run.exists() {
                keep_aggregate(&run, posts, &features)?;
            }
        }
    }
    // of two runs that are the same the sweeps' count: they looked at the test posts after each epoch
    let folders = [ABLATIONS, SWEEP, "runs"].map(|name| out.join(name));
    let report = mmfnd_report::report(&mmfnd_report::Options {
        folders: folders
            .into_iter()
            .filter(|folder| folder.exists())
            .collect(),
        posts: vec![out.join("posts/posts.parquet")],
        pictures: true, // they are ours
    })?;
    let page = out.join(PAGE);
    write_page(&report, &page).with_context(|| format!("cannot write `{}`", page.display()))?;
    stage.finish(&format!("`{}`", page.display()));
    Ok(())
}

/// Of the test posts, which are those that the page draws.
fn keep_aggregate(run: &Path, posts: &[Post], features: &Features) -> anyhow::Result<()> {
    let head = Head::load(run, Device::default())?;
    let rows: Vec<_> = (0..posts.len())
        .filter(|&row| posts[row].split == Split::Test)
        .collect();
    let scored = head.predict_with_aggregate(features, posts, &rows)?;
    let posts: Vec<_> = rows.iter().map(|&row| &posts[row]).collect();
    let path = RunDir::open(run)?.aggregate();
    write_predictions_with_aggregate(&path, &posts, (scored, head.extras()))?;
    Ok(())
}
