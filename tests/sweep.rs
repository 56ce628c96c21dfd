//! `mmfnd sweep` and `ablate` over a store of made-up features.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use mmfnd_posts::{Label, Split, write_posts};
use mmfnd_train::ENCODERS;
use serde_json::Value;

use crate::program::{Mmfnd, Ran};
use crate::train::SMALL;
use crate::train::world::{World, posts, write_store};

fn world(count: usize) -> World {
    let world = World::new(posts(count));
    write_posts(&world.path("posts.parquet"), &world.posts).unwrap();
    world
}

/// A subcommand on the world's posts and store, with small heads.
fn command(world: &World, name: &str, out: &str, more: &[&str]) -> Mmfnd {
    let store = world.path("store").display().to_string();
    command_without_store(world, name, out, &[&["--store", &store], more].concat())
}

fn command_without_store(world: &World, name: &str, out: &str, more: &[&str]) -> Mmfnd {
    let path = |name| world.path(name).display().to_string();
    let mut arguments = vec![name.to_owned(), "--posts".into(), path("posts.parquet")];
    arguments.extend(["--out".into(), path(out)]);
    for setting in SMALL {
        arguments.extend(["--set".to_owned(), setting.into()]);
    }
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    Mmfnd::new(arguments)
}

const GRID: [&str; 6] = [
    "--grid",
    "model.experts=1..2",
    "--grid",
    "train.lr=1e-3,5e-3",
    "--seeds",
    "2",
];

fn sweep(world: &World, out: &str, more: &[&str]) -> Mmfnd {
    command(world, "sweep", out, &[&GRID[..], more].concat())
}

fn records(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("runs.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The runs' folders by name.
fn runs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("runs")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// That two sweeps hold the same runs and come to the same summary, byte for byte.
fn assert_same(a: &Path, b: &Path) {
    let (ours, theirs) = (runs(a), runs(b));
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours.file_name(), theirs.file_name());
        for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
            let same = fs::read(ours.join(file)).unwrap() == fs::read(theirs.join(file)).unwrap();
            assert!(same, "{file} of {}", ours.display());
        }
    }
    for file in ["summary.json", "summary.csv"] {
        assert_eq!(
            fs::read(a.join(file)).unwrap(),
            fs::read(b.join(file)).unwrap(),
            "{file}"
        );
    }
}

/// That every line of a table can be read in a terminal of 100 columns.
fn assert_narrow(ran: &Ran) {
    for line in ran.stdout.lines().filter(|line| !line.contains('`')) {
        assert!(line.chars().count() <= 100, "too wide: {line}");
    }
}

#[test]
fn a_sweep_trains_every_point_with_every_seed_and_sums_up() {
    let world = world(96);
    let ran = sweep(&world, "sweep", &[]).succeeds();
    ran.expect_stderr("8 runs, 0 failed");
    let folder = world.path("sweep");
    assert_eq!(runs(&folder).len(), 8);
    let first = folder.join("runs/experts=1,learning_rate=0.001,seed=1");
    let metrics = json(&first.join("metrics.json"));
    let records = records(&folder);
    let record = records
        .iter()
        .find(|record| record["run"] == "experts=1,learning_rate=0.001,seed=1");
    let record = record.unwrap();
    assert_eq!(
        (&record["test"], &record["seed"]),
        (&metrics["test"], &Value::from(1))
    );
    assert_eq!(record["point"]["head.experts"], 1);

    let summary = json(&folder.join("summary.json"));
    let points = summary["points"].as_array().unwrap();
    assert_eq!(points.len(), 4);
    let of = |seed: u64| {
        let run = records.iter().find(|r| {
            r["point"]["head.experts"] == 2
                && r["point"]["train.learning_rate"] == 0.005
                && r["seed"] == seed
        });
        run.unwrap()["test"]["accuracy"].as_f64().unwrap()
    };
    let mean = points[3]["test"]["accuracy"]["mean"].as_f64().unwrap();
    assert!((mean - (of(1) + of(2)) / 2.0).abs() < 1e-12);
    let best = summary["best"].as_u64().unwrap() as usize;
    let accuracy = |point: &Value| point["validation"]["accuracy"]["mean"].as_f64().unwrap();
    assert!(
        points
            .iter()
            .all(|point| accuracy(point) <= accuracy(&points[best]))
    );
    for (index, point) in points.iter().enumerate() {
        assert_eq!(point["comparison"].is_null(), index == best);
        let best_test = &point["best_test"]["accuracy"]["mean"];
        assert!(best_test.as_f64().unwrap() >= point["test"]["accuracy"]["mean"].as_f64().unwrap());
    }
    let csv = fs::read_to_string(folder.join("summary.csv")).unwrap();
    assert_eq!(csv.lines().count(), 5);
    assert!(csv.starts_with(
        "head.experts,train.learning_rate,seeds,failed,collapsed,best,reference,validation_accuracy_mean,"
    ));
}

#[test]
fn the_number_of_jobs_changes_no_byte() {
    let world = world(96);
    sweep(&world, "one", &["--jobs", "1"]).succeeds();
    sweep(&world, "three", &["--jobs", "3"]).succeeds();
    assert_same(&world.path("one"), &world.path("three"));
    let settings = [
        "--set",
        "head.experts=2",
        "--set",
        "train.learning_rate=1e-3",
        "--seed",
        "2",
    ];
    command(&world, "train", "alone", &settings).succeeds();
    let run = world.path("one/runs/experts=2,learning_rate=0.001,seed=2");
    for file in ["weights.safetensors", "predictions.parquet"] {
        assert_eq!(
            fs::read(run.join(file)).unwrap(),
            fs::read(world.path("alone").join(file)).unwrap(),
            "{file}"
        );
    }
}

#[test]
fn a_sweep_that_is_finished_is_only_summed_up_again_and_can_be_extended() {
    let world = world(96);
    let first = sweep(&world, "sweep", &[]).succeeds();
    let lines = records(&world.path("sweep")).len();
    let again = sweep(&world, "sweep", &[])
        .succeeds()
        .expect_stderr("8 of 8 runs are finished already");
    assert_eq!(again.stdout, first.stdout);
    assert_eq!(records(&world.path("sweep")).len(), lines);
    let more = [
        "--grid",
        "head.experts=1..2",
        "--grid",
        "train.lr=1e-3,5e-3",
        "--seeds",
        "3",
    ];
    command(&world, "sweep", "sweep", &more)
        .succeeds()
        .expect_stderr("8 of 12 runs are finished already");
    command(&world, "sweep", "whole", &more).succeeds();
    assert_same(&world.path("sweep"), &world.path("whole"));
}

#[test]
fn a_killed_sweep_goes_on_and_ends_with_the_same_bytes() {
    let world = world(96);
    let epochs = ["--set", "train.epochs=30", "--jobs", "2"];
    sweep(&world, "whole", &epochs).succeeds();
    let mut child = sweep(&world, "cut", &epochs).command();
    let mut child = child
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ledger = world.path("cut/runs.jsonl");
    while fs::read_to_string(&ledger)
        .unwrap_or_default()
        .lines()
        .count()
        < 2
    {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it was killed"
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let done = records(&world.path("cut")).len();
    assert!((2..8).contains(&done), "{done} runs were finished");
    sweep(&world, "cut", &epochs)
        .succeeds()
        .expect_stderr("of 8 runs are finished already");
    assert_eq!(records(&world.path("cut")).len(), 8);
    assert_same(&world.path("whole"), &world.path("cut"));
}

#[test]
fn a_run_that_fails_is_recorded_and_the_others_go_on() {
    let world = world(96);
    let blocked = world.path("sweep/runs/experts=1,learning_rate=0.001,seed=2");
    fs::create_dir_all(blocked.parent().unwrap()).unwrap();
    fs::write(&blocked, "a file where a folder should be").unwrap();
    let ran = sweep(&world, "sweep", &[]).fails();
    let ran = ran
        .expect_stderr("1 of 8 runs failed")
        .expect_stderr("seed=2 failed: ");
    assert!(ran.stdout.contains("  1/2  "), "{ran:?}");
    let failed: Vec<_> = records(&world.path("sweep"))
        .into_iter()
        .filter(|record| record["status"] == "failed")
        .collect();
    assert_eq!(failed.len(), 1);
    let why = failed[0]["error"].as_str().unwrap();
    assert!(why.contains("seed=2") && why.contains("(os error"), "{why}");
    let summary = json(&world.path("sweep/summary.json"));
    assert_eq!(
        (&summary["finished"], &summary["failed"]),
        (&Value::from(7), &Value::from(1))
    );
    fs::remove_file(&blocked).unwrap();
    sweep(&world, "sweep", &[])
        .succeeds()
        .expect_stderr("7 of 8 runs are finished already");
    sweep(&world, "whole", &[]).succeeds();
    assert_same(&world.path("sweep"), &world.path("whole"));
}

#[test]
fn another_sweep_in_the_same_folder_is_refused() {
    let world = world(96);
    sweep(&world, "sweep", &[]).succeeds();
    let before = fs::read(world.path("sweep/sweep.json")).unwrap();
    sweep(&world, "sweep", &["--set", "train.epochs=5"])
        .fails()
        .expect_stderr("another sweep: `train.epochs` was 4, now 5");
    sweep(&world, "sweep", &["--grid", "head.levels=1,2"])
        .fails()
        .expect_stderr("its axes were");
    sweep(&world, "sweep", &["--no-best-test"])
        .fails()
        .expect_stderr("--no-best-test");
    let mut posts = world.posts.clone();
    posts[3].label = None;
    write_posts(&world.path("posts.parquet"), &posts).unwrap();
    sweep(&world, "sweep", &[])
        .fails()
        .expect_stderr("the posts changed");
    assert_eq!(fs::read(world.path("sweep/sweep.json")).unwrap(), before);
}

#[test]
fn a_wrong_axis_is_named_before_anything_is_written() {
    let world = world(16);
    let refused = |axis: &str| command(&world, "sweep", "sweep", &["--grid", axis]).fails();
    refused("head.expert=1..6")
        .expect_stderr("--grid head.expert=1..6")
        .expect_stderr("`head.experts`");
    refused("head.experts=1..9")
        .expect_stderr("`head.experts` is 9")
        .expect_stderr("from 1 to 8");
    refused("train.seed=1..3").expect_stderr("--seeds");
    refused("head.experts=2,2").expect_stderr("twice");
    assert!(!world.path("sweep").exists());
}

#[test]
fn what_every_run_would_fail_with_is_one_error_before_anything_is_written() {
    let world = world(96);
    let refused = |name: &str, more: &[&str]| {
        let ran = command(&world, name, "sweep", more).fails();
        assert!(!ran.stderr.contains("failed:"), "{ran:?}");
        assert!(!world.path("sweep").exists(), "nothing is written");
        ran
    };
    let mut posts = world.posts.clone();
    posts.retain(|post| post.split == Split::Test || post.label == Some(Label::Fake));
    write_posts(&world.path("posts.parquet"), &posts).unwrap();
    for name in ["sweep", "ablate"] {
        refused(name, &[]).expect_stderr("all 36 posts of split `train` are fake: both classes");
    }
    let mut posts = world.posts.clone();
    posts.retain(|post| post.split == Split::Train || post.label == Some(Label::Real));
    write_posts(&world.path("posts.parquet"), &posts).unwrap();
    let axis = ["--grid", "train.select=validation,test"];
    refused("sweep", &axis).expect_stderr("all 12 posts of split `test` are real");
    posts.retain(|post| post.split == Split::Test);
    write_posts(&world.path("posts.parquet"), &posts).unwrap();
    refused("sweep", &[]).expect_stderr("split `train` has no post that can be used");
}

#[test]
fn a_point_that_needs_what_the_store_lacks_is_named_with_the_command() {
    let world = world(96);
    write_store(&world.path("small"), &world.posts, &ENCODERS[..3], "1f2e");
    let small = world.path("small").display().to_string();
    let options = ["--store", &small, "--grid", "head.ablation=text-only,none"];
    let ran = command_without_store(&world, "sweep", "sweep", &options).fails();
    ran.expect_stderr("no features of encoder `resnet` in the store")
        .expect_stderr("`mmfnd encode --posts");
    assert!(!world.path("sweep").exists());
}

#[test]
fn experts_that_have_collapsed_are_told_at_the_end() {
    let world = world(96);
    let ran = sweep(&world, "sweep", &[]).succeeds();
    let path = world.path("sweep/runs.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let quiet = text.matches(r#""collapsed":[]"#).count();
    assert_eq!(ran.stdout.contains("warning: groups of experts"), quiet < 8);
    let lines = text.lines().map(|line| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        let is_second = record["point"]["head.experts"] == 2 && record["seed"] == 2;
        record["collapsed"] = match is_second {
            true => vec!["gate: group `shared` gets 0.1 %"].into(),
            false => Value::Array(Vec::new()),
        };
        record.to_string() + "\n"
    });
    let lines: String = lines.collect();
    fs::write(&path, lines).unwrap();
    let ran = sweep(&world, "sweep", &[]).succeeds();
    assert_narrow(&ran);
    let lines = ran.stdout.lines();
    let lines: Vec<_> = lines.filter(|line| line.contains("in 1 of 2")).collect();
    assert_eq!(lines.len(), 2, "{ran:?}");
    assert!(lines[0].ends_with("in 1 of 2 runs, seeds 2"), "{ran:?}");
    let summary = json(&world.path("sweep/summary.json"));
    let said = &summary["points"][2]["collapsed"]["2"][0];
    assert_eq!(said, "gate: group `shared` gets 0.1 %");
}

#[test]
fn the_ablations_have_the_papers_names_and_are_compared_with_the_whole_head() {
    let world = world(96);
    let ran = command(
        &world,
        "ablate",
        "ablate",
        &["--seeds", "2", "--set", "train.epochs=2"],
    )
    .succeeds();
    assert_narrow(&ran);
    for name in [
        "multimodal only",
        "text only",
        "image only",
        "w/o A",
        "w/o F",
        "w/o C",
        "w/o S",
        "w/o P",
        "MMFND",
    ] {
        assert!(
            ran.stdout
                .lines()
                .any(|line| line[1..].starts_with(&format!("{name} "))),
            "no {name} in {}",
            ran.stdout
        );
    }
    let ran = ran.expect_stdout("test accuracy minus that of MMFND");
    let summary = json(&world.path("ablate/summary.json"));
    assert_eq!(summary["points"].as_array().unwrap().len(), 9);
    assert_eq!(summary["reference"], 8);
    assert!(ran.stdout.contains("optimistic"));
}

#[test]
fn the_tables_can_be_read_in_a_terminal() {
    let world = world(240);
    let ran = sweep(&world, "sweep", &["--set", "train.epochs=2"]).succeeds();
    assert_narrow(&ran);
    let masked = |line: &str| -> String {
        let digit = |c: char| match c {
            '0'..='9' => '9',
            '-' => '+',
            _ => c,
        };
        let line: String = line.replace('*', " ").replace("<0.001", " 9.999");
        let is_row = line.trim_start().starts_with(|c: char| c.is_ascii_digit());
        if is_row && line.contains(" / ") {
            // counts of posts have one digit or two
            let count = |word: &str| {
                word.parse()
                    .map_or(word.to_owned(), |_: u32| "9".to_owned())
            };
            let words: Vec<_> = line.split_whitespace().map(count).collect();
            return words.join(" ").chars().map(digit).collect();
        }
        match is_row || line.starts_with("test accuracy minus") {
            true => line.chars().map(digit).collect(),
            false => line,
        }
    };
    let lines = ran.stdout.lines().filter(|line| !line.contains('`'));
    let table: Vec<String> = lines.map(masked).collect();
    insta::assert_snapshot!(table.join("\n"), @r"
                                    validation   test accuracy                   best test epoch
 experts  learning_rate  seeds        accuracy       mean ± sd   95 % interval      (optimistic)
 9        9.999              9   9.999 ± 9.999   9.999 ± 9.999  [9.999, 9.999]     9.999 ± 9.999
 9        9.999              9   9.999 ± 9.999   9.999 ± 9.999  [9.999, 9.999]     9.999 ± 9.999
 9        9.999              9   9.999 ± 9.999   9.999 ± 9.999  [9.999, 9.999]     9.999 ± 9.999
 9        9.999              9   9.999 ± 9.999   9.999 ± 9.999  [9.999, 9.999]     9.999 ± 9.999
  best by accuracy on the validation posts

                                                                 fake                   real
 experts  learning_rate       macro-F1          AUROC   prec.  recall     F1   prec.  recall     F1
 9        9.999          9.999 ± 9.999  9.999 ± 9.999   9.999   9.999  9.999   9.999   9.999  9.999
 9        9.999          9.999 ± 9.999  9.999 ± 9.999   9.999   9.999  9.999   9.999   9.999  9.999
 9        9.999          9.999 ± 9.999  9.999 ± 9.999   9.999   9.999  9.999   9.999   9.999  9.999
 9        9.999          9.999 ± 9.999  9.999 ± 9.999   9.999   9.999  9.999   9.999   9.999  9.999

test accuracy minus that of experts=9, learning_rate=9.999, on the same 99 posts and seeds
 experts  learning_rate  difference     95 % interval       p   only it / other       p
9 9.999 +9.999 [+9.999, +9.999] 9.999 9 / 9 9.999
9 9.999 +9.999 [+9.999, +9.999] 9.999 9 / 9 9.999
9 9.999 +9.999 [+9.999, +9.999] 9.999 9 / 9 9.999
first p: paired bootstrap, 10000 draws of the 60 pictures (with their posts) and of the seeds;
second p: McNemar's exact test of the majority votes of the seeds; not corrected for 3 tests
");
}

#[test]
fn points_with_long_names_are_numbered() {
    let world = world(96);
    let axes = [
        "--grid",
        "head.experts=1,2",
        "--grid",
        "head.shared_experts=1",
        "--grid",
        "head.ablation=without-a,multimodal-only",
    ];
    let ran = command(
        &world,
        "sweep",
        "sweep",
        &[&axes[..], &["--seeds", "1", "--set", "train.epochs=1"]].concat(),
    )
    .succeeds();
    assert_narrow(&ran);
    ran.expect_stdout("#4    experts=2,shared_experts=1,ablation=multimodal-only");
}

#[test]
fn every_head_that_the_store_allows_is_compared_and_the_papers_figures_stand_apart() {
    let world = World::with_tokens(posts(64));
    write_posts(&world.path("posts.parquet"), &world.posts).unwrap();
    let compare = |store: &Path, out: &str| {
        let path = |name| world.path(name).display().to_string();
        let store = store.display().to_string();
        let arguments = [
            "compare-heads",
            "--posts",
            &path("posts.parquet"),
            "--store",
            &store,
            "--out",
            &path(out),
            "--seeds",
            "1",
            "--set",
            "train.epochs=1",
            "--no-best-test",
        ];
        Mmfnd::new(arguments).succeeds()
    };
    let ran = compare(&world.path("store"), "all");
    let ran = ran.expect_stderr("left out: eann (head `eann` learns to forget the event, and the posts that it is trained on name none; ");
    let ran = ran.expect_stdout("as published, other test sets");
    let heads: Vec<_> = records(&world.path("all"))
        .iter()
        .map(|record| record["point"]["head.kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(heads.len(), mmfnd_train::HEADS.len() - 1, "{heads:?}");
    let line = |name: &str| {
        let mut lines = ran.stdout.lines().filter(|line| line.starts_with(name));
        lines.next().unwrap().to_owned()
    };
    // head, accuracy, three figures of each class, seconds, weights
    assert_eq!(
        line("cafe").split_whitespace().count(),
        10,
        "{}",
        line("cafe")
    );
    assert!(line("EANN").contains("0.827"));

    let few = world.path("few");
    write_store(&few, &world.posts, &ENCODERS, "1f2e");
    let ran = compare(&few, "seven");
    ran.expect_stderr(
        "left out: safe (the store lacks tokens; `mmfnd encode --with-tokens` adds tokens)",
    );
    assert_eq!(records(&world.path("seven")).len(), 7);
}
