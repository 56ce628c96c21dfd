//! `mmfnd evaluate`: the figures of a run, in the paper's layout.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use mmfnd_features::{Features, Store};
use mmfnd_posts::{Post, Split};
use mmfnd_train::metrics::{KindAccuracy, Scored, by_cause};
use mmfnd_train::{Device, Metrics, Model, Prediction, RunDir, RunInfo, RunMetrics};

use crate::show::metrics::{RunTable, causes as causes_table, details};
use crate::store::load::load;

/// Show how good a run is on a split, in the paper's layout
///
/// Without --posts the figures are those that the run wrote; with --posts and --store they are computed anew, with the
/// accuracy by cause where posts name one.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// train, validation or test
    #[arg(long, default_value = "test")]
    split: Split,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Posts to compute the figures on, as their own column `split` says
    #[arg(long, value_name = "FILE", requires = "store")]
    posts: Option<PathBuf>,
    /// Feature store with their features
    #[arg(long, value_name = "DIR", requires = "posts")]
    store: Option<PathBuf>,
    /// Most megabytes of features in memory; what does not fit is read from the store as it is needed, with the same
    /// result
    #[arg(long, value_name = "MB", requires = "store")]
    memory_budget: Option<u64>,
    /// Where to compute: flex, ndarray, wgpu or cuda
    #[arg(long, default_value = "flex")]
    device: Device,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let run = RunDir::open(&arguments.run)?;
    let (mut metrics, info) = (run.metrics()?, run.info()?);
    let mut causes = Vec::new();
    if let (Some(posts), Some(store)) = (&arguments.posts, &arguments.store) {
        let posts = mmfnd_posts::read_posts(posts)?;
        let model = Model::load(&arguments.run, arguments.device)?;
        let store = Store::open(store)?;
        let features = load(&store, &posts, model.encoders(), arguments.memory_budget)?;
        let computed;
        (computed, causes) = evaluate(&model, &features, &posts, arguments.split)?;
        *split_mut(&mut metrics, arguments.split) = computed;
    }
    let split = metrics.of(arguments.split).with_context(|| {
        format!(
            "no post of split `{}` has a label and a picture; name another --split",
            arguments.split
        )
    })?;
    let mut stdout = std::io::stdout().lock();
    match arguments.json {
        true => writeln!(
            stdout,
            "{}",
            json(arguments.split, split, &causes, &metrics, &info)?
        ),
        false => {
            let table = RunTable::new(&metrics, &info, &[arguments.split]);
            write!(
                stdout,
                "{table}\n{}{}",
                details(split),
                causes_table(&causes)
            )
        }
    }
    .context("cannot print the figures")
}

/// Figures of the posts of a split, and accuracy by cause.
fn evaluate(
    model: &Model,
    features: &Features,
    posts: &[Post],
    split: Split,
) -> anyhow::Result<(Option<Metrics>, Vec<KindAccuracy>)> {
    let is_asked = |row: &usize| posts[*row].split == split && posts[*row].label.is_some();
    let rows: Vec<_> = (0..posts.len()).filter(is_asked).collect();
    let predictions = model.predict(features, posts, &rows)?;
    let posts = rows.iter().map(|&row| &posts[row]);
    let scored: Vec<(&Post, Prediction)> = posts
        .zip(predictions)
        .filter_map(|(post, prediction)| Some((post, prediction?)))
        .collect();
    let logits = scored.iter().filter_map(|(post, prediction)| {
        let label = post.label?.index();
        Some(Scored {
            logits: prediction.logits,
            label,
        })
    });
    let logits: Vec<_> = logits.collect();
    let metrics = (!logits.is_empty()).then(|| Metrics::of(&logits));
    let predicted = scored
        .iter()
        .map(|(post, prediction)| (*post, prediction.label()));
    Ok((metrics, by_cause(predicted)))
}

fn split_mut(metrics: &mut RunMetrics, split: Split) -> &mut Option<Metrics> {
    match split {
        Split::Train => &mut metrics.train,
        Split::Validation => &mut metrics.validation,
        Split::Test => &mut metrics.test,
    }
}

fn json(
    split: Split,
    metrics: &Metrics,
    causes: &[KindAccuracy],
    run: &RunMetrics,
    info: &RunInfo,
) -> anyhow::Result<String> {
    let mut value = serde_json::json!({
        split.to_string(): metrics,
        "seed": info.seed,
        "selection": run.selection,
        "with_ocr": info.with_ocr,
    });
    if !causes.is_empty() {
        value["causes"] = serde_json::to_value(causes)?;
    }
    Ok(serde_json::to_string_pretty(&value)?)
}
