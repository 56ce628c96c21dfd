//! `mmfnd demo`: the main job on a generated world, from posts to a page, with the single modalities beside it.
//! Comes in: nothing. Goes out: a folder with posts, features, runs and the page, and tables on standard output.

mod page;
mod summary;

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mmfnd_demo_world::{WorldOptions, generate};
use mmfnd_encode::{OcrOptions, Preset, check_ocr, ocr_install_line};
use mmfnd_features::{Features, Store};
use mmfnd_posts::{Post, write_posts};
use mmfnd_train::{Config, Device, ENCODERS, RunOptions, RunSummary};

use crate::heads::train;
use crate::outputs::Folder;
use crate::posts::ocr;
use crate::show::progress::Stage;
use crate::store::encode;

/// Run the whole method on a generated world: posts, features, heads, tables, a page
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder for posts/, store/, runs/ and report.html; may be that of an earlier demo
    #[arg(long, value_name = "DIR", default_value = "data/demo")]
    out: PathBuf,
    /// Number of posts in the world
    #[arg(long, value_name = "N", default_value_t = WorldOptions::default().posts, value_parser = size)]
    posts: usize,
    /// Also train the head with 1 to 5 experts in each group and all ablations, three seeds each, for figures 4 and 5
    /// and both tables on the page; some minutes
    #[arg(long)]
    full: bool,
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

/// The models of the table: folder below `runs/`, value of `head.ablation`. The last one stands beside the whole head
/// in figure 6.
const MODELS: [(&str, &str); 5] = [
    ("mmfnd", "none"),
    ("text-only", "text-only"),
    ("image-only", "image-only"),
    ("multimodal-only", "multimodal-only"),
    ("without-p", "without-p"),
];

/// The whole head over the features that BERT makes of text and text in the picture.
const WITH_OCR: [(&str, &str); 1] = [("mmfnd-ocr", "none")];

/// The banners of the world are in English.
const LANGUAGE: &str = "eng";

/// A trained model: its row of the table.
struct Model {
    name: &'static str,
    run: RunSummary,
    time: Duration,
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
    if arguments.full {
        // before text is read in the pictures: these posts are those that the heads above were trained on
        page::sweeps(out, &settings("none"), &models)?;
    }
    if arguments.with_ocr {
        ocr::read_posts_pictures(&mut posts, &ocr_options)?;
        write_posts(&out.join("posts/posts.parquet"), &posts)?;
        models.extend(train_models(&posts, out, ("store-ocr", &WITH_OCR))?);
    }
    page::write(out, &posts)?;
    let mut report = summary::summary(&posts, &models);
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
        let started = Instant::now();
        let run = train::train_posts(name, &features, posts, &config, &options)?;
        let time = started.elapsed();
        trained.push(Model { name, run, time });
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
const FILES: [(&str, &str); 10] = [
    ("report.html", "all of it on one page; open it in a browser"),
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
    (
        "sweep/",
        "the head with 1 to 5 experts in each group, three seeds",
    ),
    (
        "ablations/",
        "the whole head and its ablations, three seeds",
    ),
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

/// What a demo's folder may hold.
const OWN: [&str; 9] = [
    "posts",
    "store",
    "runs",
    "store-ocr",
    "ocr.jsonl",
    page::SWEEP,
    page::ABLATIONS,
    page::PAGE,
    "report.json",
];

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
        if !OWN.iter().any(|known| name == *known) {
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
