//! `mmfnd train`, `evaluate` and `predict` over a store of made-up features.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../crates/train/tests/world/mod.rs"]
pub(crate) mod world;

use std::fs;
use std::path::Path;

use mmfnd_posts::{read_posts, write_posts};
use world::{World, posts, write_store};

use crate::program::Mmfnd;

pub(crate) const SMALL: [&str; 7] = [
    "head.projection_hidden=16",
    "head.projection=8",
    "head.fusion_hidden=8",
    "head.branch=4",
    "train.epochs=4",
    "train.batch_size=32",
    "train.learning_rate=0.005",
];

pub(crate) fn world(count: usize) -> World {
    let world = World::new(posts(count));
    write_posts(&world.path("posts.parquet"), &world.posts).unwrap();
    world
}

/// `mmfnd train` of a small head.
pub(crate) fn train(world: &World, run: &str, more: &[&str]) -> Mmfnd {
    let path = |name| world.path(name).display().to_string();
    let mut arguments = vec!["train".to_owned(), "--posts".into(), path("posts.parquet")];
    arguments.extend(["--store".into(), path("store"), "--out".into(), path(run)]);
    arguments.extend(
        SMALL
            .iter()
            .flat_map(|&setting| ["--set".to_owned(), setting.into()]),
    );
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    Mmfnd::new(arguments)
}

/// `mmfnd predict` of all posts.
fn predict(world: &World, store: &str, out: &str) -> Mmfnd {
    let path = |name| world.path(name).display().to_string();
    Mmfnd::new([
        "predict".into(),
        path("run"),
        "--posts".into(),
        path("posts.parquet"),
        "--store".into(),
        path(store),
        "--out".into(),
        path(out),
    ])
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

#[test]
fn a_run_is_trained_evaluated_and_used() {
    let world = world(240);
    let run = world.path("run");
    train(&world, "run", &["--set", "train.epochs=15", "--seed", "3"])
        .succeeds()
        .expect_stdout("became the validation split, by picture, with seed 3")
        .expect_stdout("seed 3, epoch");
    let run_path = run.to_str().unwrap();
    let shown = Mmfnd::new(["evaluate", run_path, "--json"])
        .succeeds()
        .stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["test"]["n"], 60);
    assert!(
        shown["test"]["fake"]["f1"].as_f64().unwrap() > 0.9,
        "{shown}"
    );
    let written: serde_json::Value = serde_json::from_slice(&read(&run, "metrics.json")).unwrap();
    assert_eq!(written["test"], shown["test"]);
    assert_eq!(written["test"]["confusion"].as_array().unwrap().len(), 2);

    let (file, store) = (world.path("posts.parquet"), world.path("store"));
    let anew = [
        "--posts",
        file.to_str().unwrap(),
        "--store",
        store.to_str().unwrap(),
        "--json",
    ];
    for budget in [&[][..], &["--memory-budget", "0"]] {
        let arguments = [&["evaluate", run_path], &anew[..], budget].concat();
        let ran = Mmfnd::new(arguments).succeeds();
        let is_streamed = ran.stderr.contains("read from the store as needed");
        assert_eq!(is_streamed, !budget.is_empty(), "{ran:?}");
        let anew: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(anew["test"], shown["test"]);
    }

    predict(&world, "store", "p.csv")
        .succeeds()
        .expect_stdout("240 posts: ");
    let lines = fs::read_to_string(world.path("p.csv")).unwrap();
    let head = "post_id,label,p_fake,attention_text,attention_image,attention_cross,similarity";
    assert_eq!(lines.lines().next(), Some(head));
    assert_eq!(lines.lines().count(), 241);
    let mut streamed = predict(&world, "store", "streamed.csv").command();
    let streamed = streamed.args(["--memory-budget", "0"]).output().unwrap();
    let said = String::from_utf8_lossy(&streamed.stderr);
    assert!(
        said.contains("bert, clip_text, clip_image, resnet read"),
        "{said}"
    );
    assert_eq!(
        fs::read_to_string(world.path("streamed.csv")).unwrap(),
        lines
    );
}

#[test]
fn the_table_has_the_layout_of_the_paper() {
    let world = world(96);
    train(&world, "run", &[]).succeeds();
    let run = world.path("run");
    let table = Mmfnd::new(["evaluate", run.to_str().unwrap()])
        .succeeds()
        .stdout;
    let (table, details) = table.split_at(table.find("\nloss ").unwrap());
    let digits = |c: char| if c.is_ascii_digit() { '9' } else { c };
    let (header, figures) = table.split_at(table.find("test").unwrap());
    let figures: String = figures.chars().map(digits).collect();
    insta::assert_snapshot!(format!("{header}{figures}"), @r"
                               fake                   real
split   n  accuracy   prec.  recall     F1   prec.  recall     F1   AUROC
test   99     9.999   9.999   9.999  9.999   9.999   9.999  9.999   9.999
seed 9, epoch 9 of 9, chosen by validation accuracy
the text in the pictures was not read
");
    for more in ["macro F1 ", "AUPRC ", "calibration error ", "\nreal posts "] {
        assert!(details.contains(more), "{details}");
    }
}

#[test]
fn a_killed_training_resumes_and_ends_with_the_same_bytes() {
    let world = world(96);
    let epochs = ["--set", "train.epochs=60"];
    train(&world, "whole", &epochs).succeeds();
    let cut = world.path("cut");
    let checkpoint = cut.join("checkpoint/last.safetensors");
    train(&world, "cut", &epochs).killed_when_there_is(&checkpoint);
    assert!(
        !cut.join("metrics.json").exists(),
        "it ended before it was killed"
    );
    train(&world, "cut", &epochs)
        .fails()
        .expect_stderr("--resume");
    train(&world, "cut", &[&epochs[..], &["--resume"]].concat()).succeeds();
    for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
        assert_eq!(read(&world.path("whole"), file), read(&cut, file), "{file}");
    }
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let world = world(96);
    let path = |name| world.path(name).display().to_string();
    let (posts, store) = (path("posts.parquet"), path("store"));
    for threads in ["1", "2", "5"] {
        let out = path(threads);
        let arguments = [
            "train",
            "--posts",
            &posts,
            "--store",
            &store,
            "--out",
            &out, // at full width
            "--set",
            "train.epochs=2",
            "--set",
            "train.clip_norm=1",
        ];
        let mut command = Mmfnd::new(arguments).command();
        command.env("RAYON_NUM_THREADS", threads);
        assert!(command.output().unwrap().status.success());
    }
    for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
        let one = read(&world.path("1"), file);
        assert_eq!(one, read(&world.path("2"), file), "{file}");
        assert_eq!(one, read(&world.path("5"), file), "{file}");
    }
}

#[test]
fn bad_settings_are_named() {
    let world = world(16);
    train(&world, "run", &["--set", "train.epoch=3"])
        .fails()
        .expect_stderr("`train.epochs`");
    train(&world, "run", &["--set", "head.experts=0"])
        .fails()
        .expect_stderr("from 1 to 8");
    train(&world, "run", &["--set", "head.pooling=mean"])
        .fails()
        .expect_stderr("mean");
    let file = world.path("a.toml");
    fs::write(&file, "[train]\nepochs = 4\nlerning_rate = 1.0\n").unwrap();
    train(&world, "run", &["--config", file.to_str().unwrap()])
        .fails()
        .expect_stderr("a.toml")
        .expect_stderr("`train.learning_rate`");
    assert!(!world.path("run").exists());
}

#[test]
fn heads_are_listed_with_their_options_and_can_be_trained() {
    let listed = Mmfnd::new(["heads"]).succeeds();
    let listed = listed.expect_stdout("head.kind=mmfnd: ");
    let listed = listed.expect_stdout("head.ablation ");
    listed
        .expect_stdout("head.kind=mlp: ")
        .expect_stdout("head.hidden ");
    let world = world(64);
    let path = |name| world.path(name).display().to_string();
    let (posts, store, run) = (path("posts.parquet"), path("store"), path("run"));
    let train = |settings: [&str; 2]| {
        let places = ["train", "--posts", &posts, "--store", &store, "--out", &run];
        let settings = settings.into_iter().flat_map(|setting| ["--set", setting]);
        Mmfnd::new(places.into_iter().chain(settings))
    };
    train(["head.kind=linear", "train.epochs=2"]).succeeds();
    predict(&world, "store", "p.csv").succeeds();
    train(["head.kind=linear", "head.hidden=2"])
        .fails()
        .expect_stderr("`head.hidden` is no option of head `linear`")
        .expect_stderr("mmfnd heads");
}

#[test]
fn a_device_that_is_not_built_in_is_named_with_its_feature() {
    let built = [
        ("wgpu", cfg!(feature = "wgpu")),
        ("cuda", cfg!(feature = "cuda")),
    ];
    let world = world(16);
    for (device, _) in built.into_iter().filter(|(_, is_built)| !is_built) {
        for command in ["train", "sweep"] {
            let missing = world.path("missing").display().to_string(); // the device comes first
            let arguments = [command, "--posts", &missing, "--store", &missing];
            let more = ["--out", &missing, "--device", device];
            let ran = Mmfnd::new(arguments.iter().chain(&more)).fails();
            ran.expect_stderr(&format!("device `{device}` is not in this program"))
                .expect_stderr(&format!("--features {device}"));
        }
    }
}

#[test]
fn a_store_without_the_features_is_named_with_the_command() {
    let world = world(64);
    let store = world.path("store");
    fs::remove_dir_all(&store).unwrap();
    write_store(
        &store,
        &world.posts,
        &["bert", "clip_text", "resnet"],
        "1f2e",
    );
    train(&world, "run", &[])
        .fails()
        .expect_stderr("`clip_image`")
        .expect_stderr("mmfnd encode");
}

#[test]
fn a_store_of_other_encoders_is_refused() {
    let world = world(64);
    train(&world, "run", &[]).succeeds();
    write_store(
        &world.path("other"),
        &world.posts,
        &mmfnd_train::ENCODERS,
        "ffff",
    );
    predict(&world, "other", "p.csv")
        .fails()
        .expect_stderr("`bert`")
        .expect_stderr("preset `made-up`");
    assert!(!world.path("p.csv").exists());
}

#[test]
fn posts_that_are_not_encoded_are_named_with_the_command() {
    let world = world(64);
    train(&world, "run", &[]).succeeds();
    let mut more = read_posts(&world.path("posts.parquet")).unwrap();
    more[0].id = "new".into();
    write_posts(&world.path("posts.parquet"), &more).unwrap();
    predict(&world, "store", "p.jsonl")
        .fails()
        .expect_stderr("`new`")
        .expect_stderr("mmfnd encode");
    predict(&world, "store", "p.xlsx")
        .fails()
        .expect_stderr(".parquet");
}
