//! Heads that read what their authors read, by the program itself: a preset with error levels and a stand-in for VGG-19
//! beside the demo's encoders.

use std::fs;
use std::path::{Path, PathBuf};

use mmfnd_demo_world::{WorldOptions, generate};
use mmfnd_posts::Columns;
use tempfile::TempDir;

use crate::encode::{text, world};
use crate::program::Mmfnd;

/// Posts, and a store of all columns that heads know.
struct Encoded {
    folder: TempDir,
    posts: PathBuf,
    preset: PathBuf,
    store: PathBuf,
}

impl Encoded {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let preset = preset(folder.path());
        let posts = world(folder.path(), 160);
        let store = folder.path().join("store");
        encode(&posts, text(&preset), &store);
        Self {
            folder,
            posts,
            preset,
            store,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A subcommand with posts, store and an output.
    fn program(&self, command: &str, store: &Path, out: &str, more: &[&str]) -> Mmfnd {
        let out = self.path(out);
        let given = [command, "--posts", text(&self.posts), "--store"];
        let given = [&given[..], &[text(store), "--out", text(&out)], more].concat();
        Mmfnd::new(given)
    }
}

fn encode(posts: &Path, preset: &str, store: &Path) {
    let given = ["encode", "--posts", text(posts), "--store", text(store)];
    let more = ["--preset", preset, "--with-tokens"];
    Mmfnd::new(given.into_iter().chain(more)).succeeds();
}

/// The preset `demo` with two encoders more, both of its own ResNet.
fn preset(folder: &Path) -> PathBuf {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let demo = fs::read_to_string(models.join("presets/demo.toml")).unwrap();
    let (_, resnet) = demo.split_once("name = \"resnet\"\n").unwrap();
    let is_own = |line: &&str| !line.starts_with("map") && !line.starts_with("backbone");
    let vgg: Vec<_> = resnet.lines().filter(is_own).collect();
    let is_of_layer = |line: &&&str| !line.starts_with("classifier");
    let ela: Vec<_> = vgg.iter().filter(is_of_layer).copied().collect();
    let (vgg, ela) = (vgg.join("\n"), ela.join("\n"));
    let all = format!(
        "{demo}\n[[encoder]]\nname = \"vgg\"\n{vgg}\n\n[[encoder]]\nname = \"ela\"\n{ela}\nview = \"error-levels\"\n"
    );
    let all = all.replace("../demo", text(&models.join("demo")));
    let path = folder.join("faithful.toml");
    fs::write(&path, all.replace("name = \"demo\"", "name = \"faithful\"")).unwrap();
    path
}

#[test]
fn faithful_heads_are_trained_evaluated_and_used() {
    let encoded = Encoded::new();
    let new = encoded.path("new");
    fs::create_dir(&new).unwrap();
    generate(&WorldOptions { seed: 4, posts: 12 }, &new).unwrap();
    let new = new.join("posts.parquet");
    for (kind, extra) in [
        ("eann", None),
        ("mvae", Some("error_image")),
        ("mcnn", None),
    ] {
        let kind_is = format!("head.kind={kind}");
        let settings = [
            "--set",
            &kind_is,
            "--set",
            "head.inputs=faithful",
            "--set",
            "train.epochs=2",
        ];
        encoded
            .program("train", &encoded.store, kind, &settings)
            .succeeds();
        let run = encoded.path(kind);
        let run = text(&run);
        let evaluate = |more: &[&str]| -> serde_json::Value {
            let ran = Mmfnd::new([&["evaluate", run, "--json"], more].concat()).succeeds();
            serde_json::from_str(&ran.stdout).unwrap()
        };
        let (posts, store) = (text(&encoded.posts), text(&encoded.store));
        let again = evaluate(&["--posts", posts, "--store", store]);
        assert_eq!(again["test"], evaluate(&[])["test"], "{kind}");

        let scores = encoded.path(&format!("{kind}.parquet"));
        let new = ["predict", run, "--posts", text(&new), "--store", store];
        let more = ["--preset", text(&encoded.preset), "--out", text(&scores)];
        Mmfnd::new(new.into_iter().chain(more))
            .succeeds()
            .expect_stdout("12 posts: ")
            .expect_stdout("0 that cannot be scored");
        let table = Columns::read(&scores, "scores").unwrap();
        let named = extra.unwrap_or("p_fake");
        let values = table.floats(named).unwrap();
        assert!(values.iter().all(|value| value.unwrap().is_finite()));
    }
}

#[test]
fn a_store_without_what_a_faithful_head_reads_says_how_to_add_it() {
    let encoded = Encoded::new();
    let plain = encoded.path("plain store");
    encode(&encoded.posts, "demo", &plain);
    for (kind, lacking) in [("eann", "`vgg`"), ("mvae", "`vgg`"), ("mcnn", "`ela`")] {
        let kind_is = format!("head.kind={kind}");
        let settings = ["--set", &kind_is, "--set", "head.inputs=faithful"];
        let train = |store: &Path| {
            let settings = [&settings[..], &["--set", "train.epochs=1"]].concat();
            encoded.program("train", store, kind, &settings)
        };
        train(&plain)
            .fails()
            .expect_stderr(lacking)
            .expect_stderr("models/export.py PRESET --faithful");
        assert!(!encoded.path(kind).exists());
    }
    // what was lacking is added to the same store by the larger preset
    encode(&encoded.posts, text(&encoded.preset), &plain);
    let settings = ["head.kind=mcnn", "head.inputs=faithful", "train.epochs=1"];
    let settings: Vec<_> = settings.iter().flat_map(|set| ["--set", set]).collect();
    encoded
        .program("train", &plain, "mcnn", &settings)
        .succeeds();
}

#[test]
fn a_sweep_compares_frozen_and_faithful_inputs() {
    let encoded = Encoded::new();
    let heads = Mmfnd::new(["heads"]).succeeds();
    heads.expect_stdout("frozen, faithful");
    let grid = [
        "--grid",
        "head.kind=eann,mcnn",
        "--grid",
        "head.inputs=frozen,faithful",
        "--set",
        "train.epochs=1",
        "--seeds",
        "2",
    ];
    encoded
        .program("sweep", &encoded.store, "sweep", &grid)
        .succeeds()
        .expect_stdout("faithful");
    let records = fs::read_to_string(encoded.path("sweep/runs.jsonl")).unwrap();
    assert_eq!(records.lines().count(), 8, "{records}");
    assert!(!records.contains("\"error\":\""), "{records}");
}
