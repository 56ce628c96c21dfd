//! Spreads, McNemar's test and the paired bootstrap against scipy's.

use mmfnd_train::statistics::{Cluster, Difference, McNemar, RESAMPLES, Spread};
use serde_json::Value;

use crate::file::folder;

fn reference(part: &str) -> Vec<Value> {
    let file = std::fs::read_to_string(folder().join("significance.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    file[part].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|number| number.as_f64().unwrap()).collect()
}

fn close(what: &str, ours: f64, theirs: &Value, tolerance: f64) {
    let theirs = theirs.as_f64().unwrap();
    assert!(
        (ours - theirs).abs() <= tolerance,
        "{what}: ours {ours}, scipy {theirs}"
    );
}

#[test]
fn spreads_are_scipys() {
    for theirs in reference("spreads") {
        let ours = Spread::of(&numbers(&theirs["values"])).unwrap();
        close("mean", ours.mean, &theirs["mean"], 1e-12);
        close("deviation", ours.sd.unwrap(), &theirs["sd"], 1e-12);
        close("low", ours.low.unwrap(), &theirs["low"], 1e-10);
        close("high", ours.high.unwrap(), &theirs["high"], 1e-10);
    }
}

#[test]
fn mcnemars_test_is_scipys() {
    for theirs in reference("mcnemar") {
        let count = |name: &str| theirs[name].as_u64().unwrap() as usize;
        let first = [(true, false)].repeat(count("only_first"));
        let second = [(false, true)].repeat(count("only_second"));
        let ours = McNemar::of(first.into_iter().chain(second));
        let p = theirs["p"].as_f64().unwrap();
        close(&format!("p of {theirs}"), ours.p, &theirs["p"], 1e-9 * p);
    }
}

/// Two generators draw differently: the ends of an interval of 10,000 draws have a standard error of about 2.7 /
/// √10,000 deviations of the draws, p one of √(2p / 10,000).
#[test]
fn the_bootstrap_is_scipys_to_within_the_draws() {
    for theirs in reference("bootstraps") {
        let pairs = numbers(&theirs["sums"])
            .into_iter()
            .zip(numbers(&theirs["posts"]));
        let cluster = |(sum, posts)| Cluster {
            sums: vec![sum],
            posts: posts as usize,
        };
        let clusters: Vec<_> = pairs.map(cluster).collect();
        let ours = Difference::of(&clusters, 1).unwrap();
        close("mean", ours.mean, &theirs["mean"], 1e-12);
        let sd = theirs["sd"].as_f64().unwrap();
        close("low", ours.low, &theirs["low"], 0.12 * sd);
        close("high", ours.high, &theirs["high"], 0.12 * sd);
        let p = theirs["p"].as_f64().unwrap();
        let error = (2.0 * p / RESAMPLES as f64).sqrt();
        close("p", ours.p, &theirs["p"], 4.0 * error + 2e-4);
    }
}
