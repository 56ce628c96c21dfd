//! `mmfnd demo` on a small world: what it prints, what it leaves, and that it replaces only what it wrote.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Float32Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

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
        "report.json",
    ] {
        assert!(out.join(file).is_file(), "no `{file}`");
    }
    check_page(&out);
    let weights = out.join("runs/mmfnd/weights.safetensors");
    let bytes = fs::read(&weights).unwrap();
    demo().succeeds();
    assert!(
        bytes == fs::read(&weights).unwrap(),
        "the second demo trained other weights"
    );
}

/// The page over a demo: small enough to be sent by mail, with both heads of figure 6 and the demo's own pictures.
fn check_page(demo: &Path) {
    let html = fs::read_to_string(demo.join("report.html")).unwrap();
    assert!(html.len() <= 1_000_000, "{} bytes", html.len());
    for part in [
        "projection-0-label-a",
        "projection-1-cause-a",
        "methods-a",
        "ablations-a",
        "<img src=\"data:image/jpeg;base64,",
    ] {
        assert!(html.contains(part), "no `{part}` on the page");
    }
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

/// A run of the demo and its name in the README; the last is there only after `--with-ocr`.
const ROWS: [(&str, &str); 5] = [
    ("mmfnd", "MMFND"),
    ("text-only", "text only"),
    ("image-only", "image only"),
    ("multimodal-only", "multimodal only"),
    ("mmfnd-ocr", "MMFND, with the text in the pictures"),
];

/// The figures of a run, computed anew, in the order of the README's table; and how far off each may be.
fn figures(demo: &Path, run: &str) -> Vec<(f64, f64)> {
    let path = |name: &str| demo.join(name).display().to_string();
    let store = match run {
        "mmfnd-ocr" => path("store-ocr"),
        _ => path("store"),
    };
    let (run, posts) = (path(&format!("runs/{run}")), path("posts/posts.parquet"));
    let evaluate = ["evaluate", &run, "--json", "--posts", &posts];
    let evaluate = evaluate.into_iter().chain(["--store", &store]);
    let shown = Mmfnd::new(evaluate).succeeds().stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let mut figures = vec![shown["test"]["accuracy"].as_f64().unwrap()];
    for class in ["fake", "real"] {
        let of = &shown["test"][class];
        figures.extend(["precision", "recall", "f1"].map(|name| of[name].as_f64().unwrap()));
    }
    // the picture alone tells little, and where the line is drawn moves
    let far = if run.ends_with("image-only") {
        0.13
    } else {
        0.06
    };
    let mut figures: Vec<_> = figures.into_iter().map(|figure| (figure, far)).collect();
    figures[0].1 = 0.02; // the accuracy
    for cause in ["mismatch", "style", "tamper", "overlay", "real"] {
        let all = shown["causes"].as_array().unwrap();
        let of = all.iter().find(|of| of["kind"] == cause).unwrap();
        let (accuracy, posts) = (of["accuracy"].as_f64().unwrap(), of["n"].as_f64().unwrap());
        figures.push((accuracy, f64::max(3.0 / posts, far)));
    }
    figures
}

/// The figures of a line of the README's table.
fn written(readme: &str, name: &str) -> Vec<f64> {
    let start = format!("| {name} | ");
    let line = readme.lines().find_map(|line| line.strip_prefix(&start));
    let line = line.unwrap_or_else(|| panic!("the README has no line for {name}"));
    let figures = line.split(['|', '/']).map(str::trim);
    let figures = figures.filter(|figure| !figure.is_empty());
    figures.map(|figure| figure.parse().unwrap()).collect()
}

/// How far the similarity of each pair tells mismatched pairs from all other posts: the share of pairs of one of them and
/// another post in which the mismatched one is less similar.
fn area_of_similarity(demo: &Path) -> f64 {
    let column = |file: &str, name: &str| {
        let file = fs::File::open(demo.join(file)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
        let columns = batches
            .iter()
            .map(|batch| &**batch.column_by_name(name).unwrap());
        concat(&columns.collect::<Vec<_>>()).unwrap()
    };
    let texts = |file: &str, name: &str| -> Vec<Option<String>> {
        let column = cast(&column(file, name), &DataType::Utf8).unwrap();
        let texts = column.as_string::<i32>().iter();
        texts.map(|text| text.map(str::to_owned)).collect()
    };
    let ids = texts("posts/posts.parquet", "post_id").into_iter();
    let causes: HashMap<_, _> = ids.zip(texts("posts/posts.parquet", "cause")).collect();
    let predictions = "runs/mmfnd/predictions.parquet";
    let similarities = column(predictions, "similarity");
    let similarities = similarities.as_primitive::<Float32Type>().values().iter();
    let (mut mismatched, mut others) = (Vec::new(), Vec::new());
    for (id, similarity) in texts(predictions, "post_id").iter().zip(similarities) {
        match causes[id].as_deref() {
            Some("mismatch") => mismatched.push(*similarity),
            _ => others.push(*similarity),
        }
    }
    let pairs = mismatched
        .iter()
        .flat_map(|one| others.iter().map(move |other| (one, other)));
    let won = pairs.clone().filter(|(one, other)| one < other).count();
    won as f64 / (mismatched.len() * others.len()) as f64
}

/// CI runs the demo once and names its folder here. Another processor has other last bits. What they are worth after 15
/// epochs was measured with learning rates a ten-millionth apart, seven of them: accuracies of 0.906 to 0.921, precisions
/// of 0.922 to 0.976 (of the picture alone 0.846 to 0.985), up to four of a cause's 74 posts.
#[test]
fn the_figures_of_the_readme_are_those_of_the_demo() {
    let Some(demo) = std::env::var_os("MMFND_TEST_DEMO").map(PathBuf::from) else {
        // Not through `eprintln`, which the test harness keeps to itself when a test passes.
        let line = b"the README's figures are not compared: MMFND_TEST_DEMO names no folder of `mmfnd demo`\n";
        return std::io::stderr().write_all(line).unwrap();
    };
    check_page(&demo);
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let there = ROWS
        .into_iter()
        .filter(|(run, _)| demo.join("runs").join(run).exists());
    let there: Vec<_> = there.collect();
    let area = area_of_similarity(&demo);
    let start = "CLIP similarity alone tells mismatch from all other posts with an AUC of ";
    let (_, rest) = (readme.split_once(start)).expect("the README gives that AUC");
    let written_area: f64 = rest[..5].parse().unwrap();
    assert!(
        (area - written_area).abs() <= 1e-3 + 5e-4,
        "AUC {area} is written as {written_area}"
    );
    assert!(
        there.len() >= 4,
        "`{}` is no folder of a demo",
        demo.display()
    );
    for (run, name) in there {
        let (ours, written) = (figures(&demo, run), written(&readme, name));
        assert_eq!(ours.len(), written.len());
        // What decision 8 gives for 2,400 posts.
        assert!(
            run != "mmfnd" || ours[0].0 >= 0.9,
            "the whole head: {ours:?}"
        );
        for ((figure, tolerance), written) in ours.iter().zip(&written) {
            let is_close = (figure - written).abs() <= tolerance + 5e-4; // three digits are written
            assert!(
                is_close,
                "{name}: {figure} is written as {written}: {ours:?}"
            );
        }
    }
}
