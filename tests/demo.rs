//! `mmfnd demo` on a small world: what it prints, what it leaves, and that it replaces only what it wrote.

use std::fs;

use crate::program::Mmfnd;

#[test]
fn the_demo_prints_the_table_the_causes_and_examples_and_may_be_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo");
    let demo = || Mmfnd::new(["demo", "--posts", "200", "--out", out.to_str().unwrap()]);
    let first = demo().succeeds();
    for part in [
        "Test split",
        "text-only",
        "Accuracy by cause",
        "tamper",
        "AUC",
        "Five test posts",
        "runs/mmfnd/",
    ] {
        assert!(first.stdout.contains(part), "no `{part}` in {first:?}");
    }
    for file in [
        "posts/posts.parquet",
        "store/store.json",
        "runs/mmfnd/metrics.json",
    ] {
        assert!(out.join(file).is_file(), "no `{file}`");
    }
    let weights = out.join("runs/mmfnd/weights.safetensors");
    let bytes = fs::read(&weights).unwrap();
    demo().succeeds();
    assert!(
        bytes == fs::read(&weights).unwrap(),
        "the second demo trained other weights"
    );
}

#[test]
fn new_posts_are_scored_once_they_are_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (demo, new, out) = (path("demo"), path("new"), path("predictions.csv"));
    Mmfnd::new(["demo", "--posts", "200", "--out", &demo]).succeeds();
    Mmfnd::new(["world", "--seed", "9", "--posts", "20", "--out", &new]).succeeds();
    let (run, store) = (format!("{demo}/runs/mmfnd"), format!("{demo}/store"));
    let posts = format!("{new}/posts.parquet");
    let predict = [
        "predict", &run, "--posts", &posts, "--store", &store, "--out", &out,
    ];
    Mmfnd::new(predict).fails().expect_stderr("mmfnd encode");
    Mmfnd::new(predict.into_iter().chain(["--preset", "demo"])).succeeds();
    assert_eq!(fs::read_to_string(&out).unwrap().lines().count(), 21);
}

#[test]
fn a_folder_that_holds_anything_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thesis.tex");
    fs::write(&file, "years of work").unwrap();
    Mmfnd::new(["demo", "--out", folder.path().to_str().unwrap()])
        .fails()
        .expect_stderr("thesis.tex")
        .expect_stderr("--out");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
