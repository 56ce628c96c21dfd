//! The report of one made-up run: its drawings stay as they are.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod rounded;

use std::fs;
use std::path::Path;

use mmfnd_posts::{TableColumn, write_table};
use mmfnd_report::{Options, report};
use rounded::rounded;
use serde_json::{Value, json};

const POSTS: usize = 60;

/// Figures of 60 posts, 48 of which are told right.
fn metrics(loss: f64) -> Value {
    let class = json!({"precision": 0.8, "recall": 0.8, "f1": 0.8});
    json!({
        "n": POSTS, "accuracy": 0.8, "loss": loss, "fake": class, "real": class,
        "confusion": [[24, 6], [6, 24]], "macro_f1": 0.8, "auroc": 0.85, "auprc": 0.85, "ece": 0.05,
    })
}

fn write_run(folder: &Path) {
    let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    let info = json!({
        "format": 1, "version": "0.1.0", "commit": null, "seed": 1, "device": "flex", "store": "5709e", "posts": "9057a",
        "encoders": [{"name": "bert", "preset": "made-up", "model": "bert.onnx"}], "encoding_seconds": {"bert": 12.5},
    });
    write("run.json", info.to_string());
    let config = "[head]\nkind = \"mmfnd\"\n[train]\nseed = 1\n";
    write("config.toml", config.to_owned());
    let figures = json!({
        "selection": {"epoch": 2, "epochs": 3, "by": "validation", "optimistic": false},
        "train": metrics(0.4), "validation": metrics(0.5), "test": metrics(0.5),
    });
    write("metrics.json", figures.to_string());
    let gate = |epoch: usize| {
        json!({
            "gate": "text_ple.levels.0.unimodal_gate", "entropy": 0.9,
            "groups": [{"group": "unimodal", "shares": [0.1 * epoch as f64, 0.4]}, {"group": "shared", "shares": [0.2, 0.2]}],
        })
    };
    let epochs = [0.7, 0.5, 0.55].iter().enumerate().map(|(index, loss)| {
        let line = json!({
            "epoch": index + 1, "epochs": 3, "train": metrics(loss - 0.1), "selection": metrics(*loss),
            "by": "validation", "best": index < 2, "seconds": 1.5, "gates": [gate(index + 1)],
        });
        format!("{line}\n")
    });
    write("metrics.jsonl", epochs.collect());
    let text =
        |of: fn(usize) -> String| TableColumn::Text((0..POSTS).map(|row| Some(of(row))).collect());
    let fake = |row: usize| row % 2 == 1;
    let taken_for_fake = |row: usize| fake(row) != row.is_multiple_of(5);
    let p_fake = |row: usize| {
        let sure = 0.5 + 0.49 * ((row * 37 % POSTS) as f32 / POSTS as f32);
        if taken_for_fake(row) {
            sure
        } else {
            1.0 - sure
        }
    };
    let label = |of: &dyn Fn(usize) -> bool| {
        TableColumn::Int((0..POSTS).map(|row| Some(of(row).into())).collect())
    };
    let share = |of: &dyn Fn(usize) -> f32| {
        TableColumn::Float((0..POSTS).map(|row| Some(of(row))).collect())
    };
    let columns = [
        ("post_id", text(|row| format!("p{row}"))),
        ("split", text(|_| "test".to_owned())),
        ("label", label(&fake)),
        ("predicted", label(&taken_for_fake)),
        ("p_fake", share(&p_fake)),
        ("attention_text", share(&|_| 0.7)),
        ("attention_image", share(&|_| 0.6)),
        ("attention_cross", share(&|_| 0.5)),
        ("similarity", share(&|row| row as f32 / POSTS as f32)),
    ];
    write_table(&folder.join("predictions.parquet"), &columns).unwrap();
}

#[test]
fn the_figures_of_a_run_are_drawn_as_ever() {
    let folder = tempfile::tempdir().unwrap();
    write_run(folder.path());
    let options = Options {
        folders: vec![folder.path().to_owned()],
        ..Options::default()
    };
    let report = report(&options).unwrap();
    for id in [
        "confusion-a-0",
        "roc-a",
        "precision-recall-a",
        "reliability-a",
        "learning-loss-a",
        "gates-a",
    ] {
        let figure = report.figures().find(|figure| figure.id == id);
        insta::assert_snapshot!(id, rounded(&figure.unwrap_or_else(|| panic!("{id}")).svg));
    }
    let cost = report.tables().find(|table| table.id == "cost-a").unwrap();
    let cells: Vec<_> = cost.rows[0].iter().map(|cell| cell.text.as_str()).collect();
    assert_eq!(
        cells[1..4],
        ["3", "12.5", "4.5"],
        "epochs, seconds of encoding and of training"
    );
}
