//! What weights change by: several batches together, and stages one after the other.

use mmfnd_train::{RunOptions, train};

use crate::setup::{bytes, load, options};
use crate::small_methods::{method, run_and_resume};
use crate::world::{World, posts};

#[test]
fn batches_whose_gradients_are_added_up_are_one_of_all_their_posts() {
    let world = World::with_tokens(posts(96));
    let safe = method("safe"); // it knows nothing of the batch, and drops nothing
    let weights = |name: &str, settings: &[&str]| -> Vec<f32> {
        let schedule = [
            "train.schedule=cosine",
            "train.warmup_epochs=1",
            "train.clip_norm=0.5",
        ];
        let config = safe.config(&[settings, &schedule].concat()).unwrap();
        let options = options(&world.path(name));
        train(&load(&world), &world.posts, &config, &options, &|_| ()).unwrap();
        let weights = tensors(&bytes(&world, name, "weights.safetensors"));
        let values = weights
            .iter()
            .flat_map(|(_, bytes)| bytes.as_chunks::<4>().0);
        values.map(|word| f32::from_le_bytes(*word)).collect()
    };
    let large = weights("large", &["train.batch_size=24"]);
    // the last step of an epoch is of fewer posts, and so is its last batch
    let small = ["train.batch_size=8", "train.accumulate=3"];
    let (added, alone) = (weights("added", &small), weights("alone", &small[..1]));
    let far = |other: &[f32]| -> f32 {
        let gaps = large.iter().zip(other).map(|(a, b)| (a - b).abs());
        gaps.fold(0.0, f32::max)
    };
    assert!(far(&added) < 1e-4, "{}", far(&added));
    assert!(far(&alone) > 1e-2, "{}", far(&alone));
}

#[test]
fn a_method_of_several_steps_a_batch_adds_up_none() {
    let world = World::with_tokens(posts(96));
    let config = method("cafe").config(&["train.accumulate=2"]).unwrap();
    let options = options(&world.path("run"));
    let error = train(&load(&world), &world.posts, &config, &options, &|_| ());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("train.accumulate"), "{error}");
    assert!(!world.path("run").exists());
}

#[test]
fn the_second_stage_of_cmc_changes_no_bit_of_the_first() {
    let world = World::new(posts(96));
    run_and_resume(&world, &method("cmc").config(&[]).unwrap());
    let features = load(&world);
    let config = method("cmc").config(&[]).unwrap();
    let stopped = std::panic::catch_unwind(|| {
        let options = options(&world.path("stopped"));
        train(&features, &world.posts, &config, &options, &|report| {
            assert!(report.epoch <= 2, "killed");
        })
    });
    assert!(stopped.is_err());
    // of two epochs a stage, the kill in the third leaves the best of the first two
    let best = std::fs::read_dir(world.path("stopped/checkpoint")).unwrap();
    let best = best.map(|entry| entry.unwrap().path());
    let best = best.filter(|path| path.display().to_string().contains("best-"));
    let stage_1 = std::fs::read(best.last().unwrap()).unwrap();
    let end = bytes(&world, "whole cmc", "weights.safetensors");
    let (stage_1, end) = (tensors(&stage_1), tensors(&end));
    assert_eq!(stage_1.len(), end.len());
    for ((name, before), (_, after)) in stage_1.iter().zip(&end) {
        assert_eq!(before == after, !name.starts_with("fusion"), "{name}");
    }
}

#[test]
fn cmc_goes_on_with_its_banks_where_its_first_stage_was_killed() {
    let world = World::new(posts(96));
    let features = load(&world);
    // three epochs a stage: what the second and third are compared with is in the banks that the first one left
    let config = method("cmc").config(&["train.epochs=6"]).unwrap();
    let run = |name: &str, last: usize, resume| {
        let options = RunOptions {
            resume,
            ..options(&world.path(name))
        };
        train(&features, &world.posts, &config, &options, &|report| {
            assert!(report.epoch <= last, "killed");
        })
    };
    run("whole", 6, false).unwrap();
    for last in [1, 2] {
        let name = format!("cut {last}");
        assert!(std::panic::catch_unwind(|| run(&name, last, false)).is_err());
        run(&name, 6, true).unwrap();
        for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
            let (whole, cut) = (bytes(&world, "whole", file), bytes(&world, &name, file));
            assert!(whole == cut, "{file} killed behind epoch {last}");
        }
    }
    let losses = |name: &str| {
        let lines = String::from_utf8(bytes(&world, name, "metrics.jsonl")).unwrap();
        let contrast = lines.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["losses"]["contrast"].clone()
        });
        contrast.collect::<Vec<_>>()
    };
    assert_eq!(losses("whole"), losses("cut 1"));
}

/// Names and bytes of what a safetensors file holds.
fn tensors(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let tensors = safetensors::SafeTensors::deserialize(file).unwrap();
    let mut all: Vec<_> = (tensors.tensors().into_iter())
        .map(|(name, view)| (name, view.data().to_vec()))
        .collect();
    all.sort();
    all
}
