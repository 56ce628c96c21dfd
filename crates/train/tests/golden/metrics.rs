//! Metrics against scikit-learn's, with ties and sets of one class.

use mmfnd_train::metrics::{ClassMetrics, Metrics, Scored};
use serde_json::Value;

use crate::file::folder;

/// Both sides compute in float64; the scores go through logits of float32.
const TOLERANCE: f64 = 1e-6;

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap())
        .collect()
}

fn close(what: &str, ours: f64, theirs: &Value) {
    let theirs = theirs.as_f64().unwrap();
    assert!(
        (ours - theirs).abs() <= TOLERANCE,
        "{what}: ours {ours}, scikit-learn {theirs}"
    );
}

#[test]
fn metrics_are_scikit_learns() {
    let file = std::fs::read_to_string(folder().join("metrics.json")).unwrap();
    let sets: Value = serde_json::from_str::<Value>(&file).unwrap()["sets"].take();
    for (name, theirs) in sets.as_object().unwrap() {
        let post = |(score, label): (f64, f64)| Scored {
            logits: [0.0, (score / (1.0 - score)).ln() as f32],
            label: label as usize,
        };
        let posts: Vec<_> = numbers(&theirs["scores"])
            .into_iter()
            .zip(numbers(&theirs["labels"]))
            .map(post)
            .collect();
        let ours = Metrics::of(&posts);
        close(
            &format!("{name}: accuracy"),
            ours.accuracy,
            &theirs["accuracy"],
        );
        close(
            &format!("{name}: macro F1"),
            ours.macro_f1,
            &theirs["macro_f1"],
        );
        close(&format!("{name}: loss"), ours.loss, &theirs["log_loss"]);
        let classes: [ClassMetrics; 2] = [ours.real, ours.fake];
        for (class, metrics) in classes.iter().enumerate() {
            close(
                &format!("{name}: precision of {class}"),
                metrics.precision,
                &theirs["precision"][class],
            );
            close(
                &format!("{name}: recall of {class}"),
                metrics.recall,
                &theirs["recall"][class],
            );
            close(
                &format!("{name}: F1 of {class}"),
                metrics.f1,
                &theirs["f1"][class],
            );
        }
        assert_eq!(
            serde_json::json!(ours.confusion),
            theirs["confusion"],
            "{name}"
        );
        close(
            &format!("{name}: calibration error"),
            ours.ece,
            &theirs["ece"],
        );
        for (area, ours) in [("auroc", ours.auroc), ("auprc", ours.auprc)] {
            match ours {
                Some(ours) => close(&format!("{name}: {area}"), ours, &theirs[area]),
                None => assert!(theirs[area].is_null(), "{name}: {area}"),
            }
        }
    }
}
