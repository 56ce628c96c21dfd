//! `mmfnd demo`: the main job on a generated world, from posts to predictions, with the single modalities beside it.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use mmfnd_encode::Preset;
use mmfnd_features::{Features, Store};
use mmfnd_posts::demo::{self, WorldOptions};
use mmfnd_posts::{Post, Split};
use mmfnd_train::metrics::{KindAccuracy, Scored, by_cause};
use mmfnd_train::{Config, Device, ENCODERS, Metrics, Prediction, RunOptions, RunSummary};

use crate::evaluate::MetricsRow;
use crate::progress::Stage;
use crate::{encode, train};

/// Run the whole method on a generated world: posts, features, head, table
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder for posts/, store/ and runs/; may be that of an earlier demo
    #[arg(long, value_name = "DIR", default_value = "data/demo")]
    out: PathBuf,
    /// Number of posts in the world
    #[arg(long, value_name = "N", default_value_t = WorldOptions::default().posts, value_parser = size)]
    posts: usize,
}

fn size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(posts @ 200..=100_000) => Ok(posts),
        _ => Err("a number of posts from 200 to 100000".into()),
    }
}

/// Settings that differ from the paper's: its learning rate and epochs are meant for six times as many posts.
const SETTINGS: [&str; 2] = ["train.epochs=15", "train.learning_rate=1e-3"];

/// The models of the table: folder below `runs/`, value of `head.ablation`.
const MODELS: [(&str, &str); 4] = [
    ("mmfnd", "none"),
    ("text-only", "text-only"),
    ("image-only", "image-only"),
    ("multimodal-only", "multimodal-only"),
];

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let started = Instant::now();
    let out = &arguments.out;
    check_folder(out)?;
    let preset = Preset::find("demo")?;
    let posts = world(&out.join("posts"), arguments.posts)?;
    let store = out.join("store");
    let options = mmfnd_encode::Options {
        // The store of an earlier version's demo holds the features of other encoders.
        replace: preset
            .encoders
            .iter()
            .map(|encoder| encoder.name.clone())
            .collect(),
        ..Default::default()
    };
    encode::encode_posts(&posts, &preset, &store, &options)?;
    let store = Store::open(&store)?;
    let features = Features::load(&store, &posts, &ENCODERS)?;
    let mut runs = Vec::new();
    for (name, ablation) in MODELS {
        let config = Config::read(None, &settings(ablation))?;
        let options = RunOptions {
            out: out.join("runs").join(name),
            device: Device::default(),
            resume: false,
            overwrite: true,
            store: store.fingerprint(),
            commit: train::commit(),
            ..RunOptions::default()
        };
        runs.push(train::train_posts(
            name, &features, &posts, &config, &options,
        )?);
    }
    let mut report = report(&posts, &runs);
    let seconds = started.elapsed().as_secs_f64();
    writeln!(
        report,
        "\n{seconds:.0} s in all; files, described in docs/formats.md:"
    )?;
    for (place, what) in FILES {
        writeln!(
            report,
            "  {:<28} {what}",
            format!("{}/{place}", out.display())
        )?;
    }
    io::stdout()
        .lock()
        .write_all(report.as_bytes())
        .context("cannot print the report")
}

/// Where things lie.
const FILES: [(&str, &str); 4] = [
    ("posts/", "posts.parquet, images/"),
    (
        "store/",
        "the features; `mmfnd features inspect` shows them",
    ),
    (
        "runs/mmfnd/",
        "configuration, metrics, predictions, weights of the whole head",
    ),
    ("runs/*-only/", "the same of the single modalities"),
];

fn settings(ablation: &str) -> Vec<String> {
    let settings = SETTINGS.map(str::to_owned);
    settings
        .into_iter()
        .chain([format!("head.ablation={ablation}")])
        .collect()
}

/// The demo replaces what it wrote, and nothing else.
fn check_folder(out: &Path) -> anyhow::Result<()> {
    let entries = match fs::read_dir(out) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read `{}`", out.display()));
        }
    };
    for entry in entries {
        let name = entry
            .with_context(|| format!("cannot read `{}`", out.display()))?
            .file_name();
        if !["posts", "store", "runs"]
            .iter()
            .any(|known| name == *known)
        {
            bail!(
                "`{}` holds `{}`, which no demo wrote; name an empty or a new folder with `--out`",
                out.display(),
                name.display()
            );
        }
    }
    Ok(())
}

fn world(folder: &Path, posts: usize) -> anyhow::Result<Vec<Post>> {
    let stage = Stage::start("world", posts as u64);
    let options = WorldOptions {
        posts,
        ..WorldOptions::default()
    };
    let posts = demo::generate(&options, folder)?;
    let fakes = posts.iter().filter(|post| post.cause.is_some()).count();
    stage.finish(&format!(
        "{} posts with pictures, {fakes} of them fake",
        posts.len()
    ));
    Ok(posts)
}

/// A post with a prediction.
type ScoredPost<'a> = (&'a Post, Prediction);

/// The posts of a run with their predictions, of one split or of all.
fn scored<'a>(posts: &'a [Post], run: &'a RunSummary, split: Option<Split>) -> Vec<ScoredPost<'a>> {
    let pairs = run.rows.iter().zip(&run.predictions);
    pairs
        .map(|(&row, prediction)| (&posts[row], *prediction))
        .filter(|(post, _)| split.is_none_or(|split| post.split == split))
        .collect()
}

fn report(posts: &[Post], runs: &[RunSummary]) -> String {
    let mut text = String::new();
    let models = || MODELS.iter().map(|(name, _)| *name).zip(runs);
    let rows = models().filter_map(|(name, run)| Some((name, run.metrics.test.as_ref()?)));
    let selected = runs[0].metrics.selection;
    let _ = write!(
        text,
        "\nTest split, one run each (seed {}, {} epochs, the best chosen by {} accuracy)\n{}",
        runs[0].info.seed,
        selected.epochs,
        selected.by.split(),
        MetricsRow::head("model")
    );
    for (name, metrics) in rows {
        let _ = writeln!(text, "{}", MetricsRow { name, metrics });
    }
    let _ = write!(
        text,
        "\nAccuracy by cause of fakeness, test split\n{}",
        causes(posts, runs)
    );
    let _ = write!(text, "\n{}", similarity(&scored(posts, &runs[0], None)));
    let _ = write!(
        text,
        "\nFive test posts\n{}",
        examples(&scored(posts, &runs[0], Some(Split::Test)))
    );
    text
}

/// One line per cause, one column per model.
fn causes(posts: &[Post], runs: &[RunSummary]) -> String {
    let of = |run| {
        let scored = scored(posts, run, Some(Split::Test));
        by_cause(
            scored
                .into_iter()
                .map(|(post, prediction)| (post, prediction.label())),
        )
    };
    let kinds: Vec<Vec<KindAccuracy>> = runs.iter().map(of).collect();
    let mut text = format!("{:<16} {:>6}", "", "n");
    MODELS
        .iter()
        .for_each(|(name, _)| text += &format!(" {name:>15}"));
    text += "\n";
    for (i, KindAccuracy { kind, n, .. }) in kinds[0].iter().enumerate() {
        text += &format!("{kind:<16} {n:>6}");
        kinds
            .iter()
            .for_each(|model| text += &format!(" {:>15.3}", model[i].accuracy));
        text += "\n";
    }
    text
}

/// How far CLIP alone tells mismatched pairs from all other posts.
fn similarity(posts: &[ScoredPost<'_>]) -> String {
    let scored = posts.iter().map(|(post, prediction)| Scored {
        logits: [prediction.similarity, 0.0],
        label: usize::from(post.cause.as_deref() == Some("mismatch")),
    });
    let metrics = Metrics::of(&scored.collect::<Vec<_>>());
    let area = metrics
        .auroc
        .map_or("-".to_owned(), |area| format!("{area:.3}"));
    format!(
        "CLIP similarity alone, mismatch against all other posts: AUC {area} (n = {})\n",
        metrics.n
    )
}

/// The first test post of each kind.
fn examples(posts: &[ScoredPost<'_>]) -> String {
    let mut text = format!(
        "{:<8} {:<9} {:>6}   {:>5} {:>5} {:>5}  {:>10}  {}\n",
        "post", "is", "p_fake", "text", "image", "cross", "similarity", "text of the post"
    );
    for kind in ["real", "mismatch", "style", "tamper", "overlay"] {
        let is_kind = |(post, _): &&ScoredPost<'_>| post.cause.as_deref().unwrap_or("real") == kind;
        let Some((post, prediction)) = posts.iter().find(is_kind) else {
            continue;
        };
        let [a, b, c] = prediction.attention;
        let id = &post.id;
        let (p_fake, similarity) = (prediction.p_fake, prediction.similarity);
        text += &format!(
            "{id:<8} {kind:<9} {p_fake:>6.3}   {a:>5.3} {b:>5.3} {c:>5.3}  {similarity:>10.3}  {}\n",
            post.text
        );
    }
    text + "text, image, cross: attention of the three branches; overlay needs the text in the picture (OCR), which the demo does not read\n"
}
