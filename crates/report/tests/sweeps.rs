//! Reports over made-up sweeps: that pages stay small however many runs there are, and that drawings stay as they are.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod rounded;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use mmfnd_report::{Options, Report, page, report};
use rounded::rounded;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Figures with this accuracy on 400 posts, half of them fake.
fn metrics(accuracy: f64) -> Value {
    let right = (accuracy * 200.0).round();
    let wrong = 200.0 - right;
    let class = json!({"precision": accuracy, "recall": accuracy, "f1": accuracy});
    json!({
        "n": 400, "accuracy": accuracy, "loss": 1.0 - accuracy, "fake": class, "real": class,
        "confusion": [[right as u64, wrong as u64], [wrong as u64, right as u64]],
        "macro_f1": accuracy - 0.01, "auroc": accuracy + 0.02, "auprc": accuracy, "ece": 0.05,
    })
}

/// A sweep over the number of experts and a rate, without the folders of its runs, as one would copy it to a colleague.
fn sweep(folder: &Path, experts: u64, rates: u64, seeds: u64) {
    fs::create_dir_all(folder).unwrap();
    let numbers = |last: u64| (1..=last).collect::<Vec<_>>();
    let file = json!({
        "format": 1, "version": "0.1.0", "commit": null, "device": "flex", "store": "5709e", "posts": "9057a",
        "axes": [
            {"key": "head.experts", "values": numbers(experts)},
            {"key": "train.rate", "values": numbers(rates)},
        ],
        "seeds": numbers(seeds), "config": {"head.kind": "mmfnd", "head.ablation": "none", "train.epochs": 15},
        "encoders": [{"name": "bert", "preset": "made-up", "model": "bert.onnx"}],
    });
    fs::write(folder.join("sweep.json"), file.to_string()).unwrap();
    let mut lines = String::new();
    for (experts, rate, seed) in (1..=experts)
        .flat_map(|e| (1..=rates).flat_map(move |r| (1..=seeds).map(move |s| (e, r, s))))
    {
        // without a generator: some hump over the experts, some noise over seeds and rates
        let noise = ((experts * 997 + rate * 101 + seed * 13) as f64 * 12.9898).sin();
        let accuracy =
            0.85 - 0.01 * (experts as f64 - 3.0).powi(2) + 0.01 * noise - 0.001 * rate as f64;
        let record = json!({
            "run": format!("experts={experts},rate={rate},seed={seed}"),
            "point": {"head.experts": experts, "train.rate": rate}, "seed": seed, "status": "finished",
            "error": null, "seconds": 3.5,
            "selection": {"epoch": 9, "epochs": 15, "by": "validation", "optimistic": false},
            "validation": metrics(accuracy + 0.005), "test": metrics(accuracy),
            "best_test": {"epoch": 11, "metrics": metrics(accuracy + 0.015)},
        });
        writeln!(lines, "{record}").unwrap();
    }
    fs::write(folder.join("runs.jsonl"), lines).unwrap();
}

fn report_of(folder: &TempDir) -> Report {
    let options = Options {
        folders: vec![folder.path().to_owned()],
        ..Options::default()
    };
    report(&options).unwrap()
}

#[test]
fn two_thousand_runs_make_a_page_of_less_than_five_megabytes() {
    let folder = tempfile::tempdir().unwrap();
    sweep(&folder.path().join("grid"), 5, 40, 10);
    let report = report_of(&folder);
    let html = page(&report);
    assert!(html.len() < 5_000_000, "{} bytes", html.len());
    assert!(
        html.contains("The 40 best of 200 by validation"),
        "long tables are cut, and say so"
    );
    let methods = report
        .tables()
        .find(|table| table.id == "methods-a")
        .unwrap();
    assert_eq!(methods.rows[0][9].text, "10", "seeds");
}

#[test]
fn the_papers_choice_is_marked_within_the_frame_where_no_run_has_it() {
    let folder = tempfile::tempdir().unwrap();
    sweep(&folder.path().join("grid"), 2, 1, 3);
    let report = report_of(&folder);
    for id in ["experts-accuracy", "experts-f1"] {
        let figure = report.figures().find(|figure| figure.id == id).unwrap();
        let number = |text: &str| -> f64 {
            let text = text.trim_start();
            let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
            text[..end.unwrap()].parse().unwrap()
        };
        let (before, _) = figure.svg.split_once("stroke-dasharray").unwrap();
        let x = number(before.rsplit_once("<path d=\"M").unwrap().1);
        let width = number(figure.svg.split_once("viewBox=\"0 0").unwrap().1);
        assert!(x < width, "{id}: at {x} of {width}");
    }
}

#[test]
fn the_figures_four_and_five_are_drawn_as_ever() {
    let folder = tempfile::tempdir().unwrap();
    sweep(&folder.path().join("grid"), 5, 1, 3);
    let report = report_of(&folder);
    let figure = |id: &str| report.figures().find(|figure| figure.id == id).unwrap();
    insta::assert_snapshot!("experts-accuracy", rounded(&figure("experts-accuracy").svg));
    let rows = &figure("experts-f1").data.rows;
    assert_eq!(rows.len(), 5);
}
