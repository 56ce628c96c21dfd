//! `mmfnd demo`: the main job on a generated world, from posts to predictions, with the single modalities beside it.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use mmfnd_demo_world::{WorldOptions, generate};
use mmfnd_encode::{OcrOptions, Preset, check_ocr, ocr_install_line};
use mmfnd_features::{Features, Store};
use mmfnd_posts::{Post, Split, write_posts};
use mmfnd_train::metrics::{KindAccuracy, Scored, by_cause};
use mmfnd_train::{Config, Device, ENCODERS, Metrics, Prediction, RunOptions, RunSummary};

use crate::heads::train;
use crate::outputs::Folder;
use crate::posts::ocr;
use crate::show::metrics::metrics_table;
use crate::show::progress::Stage;
use crate::show::table::{left, right, table};
use crate::store::encode;

/// Run the whole method on a generated world: posts, features, head, table
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder for posts/, store/ and runs/; may be that of an earlier demo
    #[arg(long, value_name = "DIR", default_value = "data/demo")]
    out: PathBuf,
    /// Number of posts in the world
    #[arg(long, value_name = "N", default_value_t = WorldOptions::default().posts, value_parser = size)]
    posts: usize,
    /// Also read the text in the pictures with Tesseract, and train the whole head a second time with it
    #[arg(long)]
    with_ocr: bool,
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

/// The whole head over the features that BERT makes of text and text in the picture.
const WITH_OCR: [(&str, &str); 1] = [("mmfnd-ocr", "none")];

/// The banners of the world are in English.
const LANGUAGE: &str = "eng";

/// A trained model: its row of the table.
struct Model {
    name: &'static str,
    run: RunSummary,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let started = Instant::now();
    let out = &arguments.out;
    check_folder(out)?;
    Folder::World.check(&out.join("posts"), &["posts.parquet"])?;
    for store in ["store", "store-ocr"] {
        Folder::Store.check(&out.join(store), &["rejects.csv"])?;
    }
    let ocr_options = OcrOptions {
        cache: out.join("ocr.jsonl"),
        ..OcrOptions::new(LANGUAGE)
    };
    if arguments.with_ocr {
        check_ocr(&ocr_options)?;
    }
    let mut posts = world(&out.join("posts"), arguments.posts)?;
    let mut models = train_models(&posts, out, ("store", &MODELS))?;
    if arguments.with_ocr {
        ocr::read_posts_pictures(&mut posts, &ocr_options)?;
        write_posts(&out.join("posts/posts.parquet"), &posts)?;
        models.extend(train_models(&posts, out, ("store-ocr", &WITH_OCR))?);
    }
    let mut report = report(&posts, &models);
    write!(report, "\n{}", about_ocr(arguments.with_ocr, &ocr_options))?;
    let seconds = started.elapsed().as_secs_f64();
    writeln!(
        report,
        "\n{seconds:.0} s in all; files, described in docs/formats.md:"
    )?;
    for (place, what) in FILES {
        if out.join(place).exists() || place.contains('*') {
            let place = format!("{}/{place}", out.display());
            writeln!(report, "  {place:<28} {what}")?;
        }
    }
    io::stdout()
        .lock()
        .write_all(report.as_bytes())
        .context("cannot print the report")
}

/// Encodes the posts into a store and trains heads on it.
fn train_models(
    posts: &[Post],
    out: &Path,
    (store, models): (&str, &[(&'static str, &str)]),
) -> anyhow::Result<Vec<Model>> {
    let preset = Preset::find("demo")?;
    let store = out.join(store);
    let options = mmfnd_encode::Options {
        // The store of an earlier version's demo holds the features of other encoders.
        replace: preset
            .encoders
            .iter()
            .map(|encoder| encoder.name.clone())
            .collect(),
        ..Default::default()
    };
    encode::encode_posts(posts, &preset, &store, &options)?;
    let store = Store::open(&store)?;
    let features = Features::load(&store, posts, &ENCODERS)?;
    let mut trained = Vec::new();
    for &(name, ablation) in models {
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
        let run = train::train_posts(name, &features, posts, &config, &options)?;
        trained.push(Model { name, run });
    }
    Ok(trained)
}

/// Whether the text in the pictures was read, and if not, how it can be.
fn about_ocr(was_read: bool, options: &OcrOptions) -> String {
    if was_read {
        return "mmfnd-ocr: BERT also reads the text in the picture, as Tesseract recognised it; the others do not.\n".into();
    }
    let skipped = "The text in the pictures was not read, and without it nothing tells overlay fakes from real posts.\n";
    let how = match check_ocr(options) {
        Ok(()) => {
            "Tesseract is here: `mmfnd demo --with-ocr` reads it (a minute or two more).".into()
        }
        Err(problem) => format!(
            "Tesseract cannot be used here ({problem}). Once it can, `mmfnd demo --with-ocr` reads it; on Debian and Ubuntu: {}",
            ocr_install_line(LANGUAGE)
        ),
    };
    format!("{skipped}{how}\n")
}

/// Where things lie.
const FILES: [(&str, &str); 7] = [
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
    ("store-ocr/", "the features with the text in the pictures"),
    ("runs/mmfnd-ocr/", "the whole head over those"),
    ("ocr.jsonl", "what was read in which picture"),
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
        if !["posts", "store", "runs", "store-ocr", "ocr.jsonl"]
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
    let posts = generate(&options, folder)?;
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
        .map(|(&row, prediction)| (&posts[row], prediction.clone()))
        .filter(|(post, _)| split.is_none_or(|split| post.split == split))
        .collect()
}

fn report(posts: &[Post], models: &[Model]) -> String {
    let mut text = String::new();
    let rows = models
        .iter()
        .filter_map(|model| Some((model.name.to_owned(), model.run.metrics.test.as_ref()?)));
    let first = &models[0].run;
    let selected = first.metrics.selection;
    let _ = write!(
        text,
        "\nTest split, one run each (seed {}, {} epochs, the best chosen by {} accuracy)\n{}",
        first.info.seed,
        selected.epochs,
        selected.by.split(),
        metrics_table("model", rows)
    );
    let _ = write!(
        text,
        "\nAccuracy by cause of fakeness, test split\n{}",
        causes(posts, models)
    );
    let _ = write!(text, "\n{}", similarity(&scored(posts, first, None)));
    let _ = write!(
        text,
        "\nFive test posts\n{}",
        examples(&scored(posts, first, Some(Split::Test)))
    );
    text
}

/// One line per cause, one column per model.
fn causes(posts: &[Post], models: &[Model]) -> String {
    let of = |model: &Model| {
        let scored = scored(posts, &model.run, Some(Split::Test));
        by_cause(
            scored
                .into_iter()
                .map(|(post, prediction)| (post, prediction.label())),
        )
    };
    let kinds: Vec<Vec<KindAccuracy>> = models.iter().map(of).collect();
    let mut columns = vec![left("cause"), right("n")];
    columns.extend(models.iter().map(|model| right(model.name)));
    let row = |(i, first): (usize, &KindAccuracy)| {
        let accuracies = kinds
            .iter()
            .map(|model| format!("{:.3}", model[i].accuracy));
        let names = [first.kind.clone(), first.n.to_string()];
        names.into_iter().chain(accuracies).collect()
    };
    table(columns, kinds[0].iter().enumerate().map(row))
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
    let columns = vec![
        left("post"),
        left("is"),
        right("p_fake"),
        right("text").apart(),
        right("image"),
        right("cross"),
        right("similarity").apart(),
        left("text of the post"),
    ];
    let kinds = ["real", "mismatch", "style", "tamper", "overlay"];
    let row = |kind: &str| {
        let is_kind = |(post, _): &&ScoredPost<'_>| post.cause.as_deref().unwrap_or("real") == kind;
        let (post, prediction) = posts.iter().find(is_kind)?;
        let [text, image, cross] = prediction.attention;
        let figures = [prediction.p_fake, text, image, cross, prediction.similarity];
        let mut cells = vec![post.id.clone(), kind.to_owned()];
        cells.extend(figures.map(|figure| format!("{figure:.3}")));
        cells.push(post.text.clone());
        Some(cells)
    };
    table(columns, kinds.into_iter().filter_map(row))
        + "text, image, cross: attention of the three branches\n"
}
