//! What a run learns, and that it is the same one however it came about.

use mmfnd_train::{Config, Device, Model, RunDir, RunOptions, train, weights};

use crate::setup::{
    bytes, config, incomplete, interrupted, interrupted_with, load, options, resumes_like, run,
};
use crate::world::{CLASSES, World, posts};

#[test]
fn a_run_learns_what_can_be_learned() {
    let world = World::new(posts(240));
    let summary = run(&world, "run", &["train.epochs=15"]).unwrap();
    let test = summary.metrics.test.as_ref().unwrap();
    assert_eq!(test.n, 60);
    assert!(test.accuracy > 0.9, "{test:?}");
    assert_eq!(
        summary.info.counts.train + summary.info.counts.validation,
        180
    );
    assert!(
        summary.info.notes[0].contains("by picture"),
        "{:?}",
        summary.info.notes
    );
    assert_eq!(summary.info.sizes.resnet_classes, CLASSES);
    let dir = RunDir::open(&world.path("run")).unwrap();
    let written = dir.metrics().unwrap();
    assert_eq!(written.selection, summary.metrics.selection);
    let test_again = written.test.unwrap(); // numbers are read back to the last digit but one
    assert_eq!(test_again.confusion, test.confusion);
    assert!((test_again.loss - test.loss).abs() < 1e-12);
    assert_eq!(dir.epochs().unwrap().len(), 15);
    assert!(!world.path("run/checkpoint").exists());
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let world = World::new(posts(96));
    run(&world, "a", &[]).unwrap();
    run(&world, "b", &[]).unwrap();
    run(&world, "c", &["train.seed=2"]).unwrap();
    for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
        assert_eq!(bytes(&world, "a", file), bytes(&world, "b", file), "{file}");
    }
    let file = "weights.safetensors";
    assert_ne!(bytes(&world, "a", file), bytes(&world, "c", file));
}

#[test]
fn no_step_and_no_batch_waits_for_what_it_has_computed() {
    let world = World::new(posts(480));
    let reads = |name, batch: &str, epochs: &str| {
        let before = weights::reads();
        run(&world, name, &[batch, epochs]).unwrap();
        weights::reads() - before
    };
    let [large, small] = ["train.batch_size=128", "train.batch_size=4"];
    let [one, three] = ["train.epochs=1", "train.epochs=3"];
    assert_eq!(reads("a", large, one), reads("b", small, one));
    assert_eq!(reads("c", large, three), reads("d", small, three));
}

#[test]
fn options_of_the_training_change_it_and_resume_to_the_same_bytes() {
    let world = World::new(posts(96));
    let plain = run(&world, "plain", &[]).unwrap();
    let every = [
        "train.schedule=cosine",
        "train.warmup_epochs=1.5",
        "train.class_weights=[1, 2]",
        "train.label_smoothing=0.1",
        "train.clip_norm=0.5",
    ];
    for option in every {
        let summary = run(&world, option, &[option]).unwrap();
        assert_ne!(summary.predictions, plain.predictions, "{option}");
    }
    run(&world, "whole", &every).unwrap();
    interrupted_with(&world, "cut", 2, &every);
    resumes_like(&world, ("whole", "cut"), &every, &|_| ());
}

#[test]
fn balanced_weights_are_no_weights_where_the_classes_are_as_many() {
    let world = World::new(posts(96));
    let plain = run(&world, "plain", &["train.select=test"]).unwrap();
    let settings = ["train.select=test", "train.class_weights=balanced"];
    let balanced = run(&world, "balanced", &settings).unwrap();
    assert_eq!(plain.predictions, balanced.predictions);
}

#[test]
fn an_interrupted_run_resumes_and_ends_with_the_same_bytes() {
    let world = World::new(posts(96));
    run(&world, "whole", &[]).unwrap();
    for epochs in [0, 1, 3] {
        let name = format!("cut{epochs}");
        interrupted(&world, &name, epochs);
        resumes_like(&world, ("whole", &name), &[], &|report| {
            assert!(
                report.epoch > epochs,
                "epoch {} is done again",
                report.epoch
            );
        });
    }
}

#[test]
fn a_training_that_gets_no_better_ends_early_and_resumes_to_the_same_bytes() {
    let world = World::new(posts(96));
    let settings = [
        "train.epochs=60",
        "train.patience=3",
        "train.learning_rate=0.02",
    ];
    let summary = run(&world, "whole", &settings).unwrap();
    let selection = summary.metrics.selection;
    assert!(selection.epochs < 60, "{selection:?}");
    assert_eq!(selection.epochs, selection.epoch + 3);
    let dir = RunDir::open(&world.path("whole")).unwrap();
    assert_eq!(dir.epochs().unwrap().len(), selection.epochs);
    interrupted_with(&world, "cut", selection.epochs - 2, &settings);
    resumes_like(&world, ("whole", "cut"), &settings, &|_| ());
}

#[test]
fn each_epoch_says_what_the_gates_give_to_the_experts() {
    let world = incomplete(96);
    let settings = ["head.shared_experts=3", "train.missing=mask"];
    run(&world, "run", &settings).unwrap();
    let epochs = RunDir::open(&world.path("run")).unwrap().epochs().unwrap();
    assert_eq!(epochs.len(), 4);
    let gates: Vec<_> = epochs[3]
        .gates
        .iter()
        .map(|gate| gate.gate.as_str())
        .collect();
    let of_a_modality = [
        "0.unimodal_gate",
        "0.cross_modal_gate",
        "0.shared_gate",
        "1.unimodal_gate",
        "1.cross_modal_gate",
    ];
    let names = ["text_ple", "image_ple"]
        .map(|ple| of_a_modality.map(|gate| format!("{ple}.levels.{gate}")));
    assert_eq!(gates, names.concat());
    for gate in &epochs[3].gates {
        let shares = gate.groups.iter().flat_map(|group| &group.shares);
        assert!((shares.sum::<f64>() - 1.0).abs() < 1e-5, "{gate:?}");
        assert!(gate.entropy > 0.0 && gate.entropy <= 1.0 + 1e-6, "{gate:?}");
    }
    let shared = &epochs[3].gates[2].groups;
    let sizes: Vec<_> = shared
        .iter()
        .map(|group| (group.group.as_str(), group.shares.len()))
        .collect();
    assert_eq!(sizes, [("unimodal", 2), ("shared", 3), ("cross_modal", 2)]);
    assert_ne!(epochs[0].gates, epochs[3].gates);
    run(&world, "without", &["head.ablation=without-p"]).unwrap();
    let epochs = RunDir::open(&world.path("without"))
        .unwrap()
        .epochs()
        .unwrap();
    assert!(epochs[0].gates.is_empty() && epochs[0].collapsed.is_empty());
}

#[test]
fn test_posts_without_a_label_are_scored_and_not_counted() {
    let mut posts = posts(96);
    posts[0].label = None;
    let world = World::new(posts);
    let summary = run(&world, "run", &[]).unwrap();
    assert_eq!(summary.metrics.test.unwrap().n, 23);
    assert_eq!(summary.predictions.len(), 96);
}

#[test]
fn selection_on_test_is_labelled() {
    let world = World::new(posts(96));
    let summary = run(&world, "run", &["train.select=test"]).unwrap();
    assert!(summary.metrics.selection.optimistic);
    assert_eq!(summary.metrics.validation, None);
    assert!(
        summary
            .info
            .notes
            .iter()
            .any(|note| note.contains("optimistic"))
    );
}

#[test]
fn a_prediction_does_not_depend_on_the_other_posts() {
    let world = World::new(posts(96));
    let features = load(&world);
    let paper = Config::read(None, &["train.epochs=1".to_owned()]).unwrap();
    for (name, config) in [("small", config(&[])), ("paper", paper)] {
        let out = world.path(name);
        let summary = train(&features, &world.posts, &config, &options(&out), &|_| ()).unwrap();
        let model = Model::load(&out, Device::Flex).unwrap();
        let rows: Vec<_> = (0..96).collect();
        let all = model.predict(&features, &world.posts, &rows).unwrap();
        let mut backwards = rows.clone();
        backwards.reverse();
        let backwards = model.predict(&features, &world.posts, &backwards).unwrap();
        for row in rows {
            let alone = model.predict(&features, &world.posts, &[row]).unwrap();
            assert_eq!(alone[0], all[row], "{name}");
            assert_eq!(backwards[95 - row], all[row], "{name}");
        }
        for (row, prediction) in summary.rows.iter().zip(&summary.predictions) {
            assert_eq!(all[*row].as_ref(), Some(prediction), "{name}");
        }
    }
}

#[test]
fn the_ndarray_device_comes_to_the_same_predictions() {
    let world = World::new(posts(64));
    let features = load(&world);
    let summary = run(&world, "run", &[]).unwrap();
    let model = Model::load(&world.path("run"), Device::Ndarray).unwrap();
    let predictions = model
        .predict(&features, &world.posts, &summary.rows)
        .unwrap();
    for (flex, ndarray) in summary.predictions.iter().zip(predictions) {
        let ndarray = ndarray.unwrap();
        let difference = flex.p_fake - ndarray.p_fake;
        assert!(difference.abs() < 1e-6, "{flex:?} {ndarray:?}");
    }
}

#[test]
fn the_ndarray_device_trains() {
    let world = World::new(posts(240));
    let options = RunOptions {
        device: Device::Ndarray,
        ..options(&world.path("run"))
    };
    let config = config(&["train.epochs=15"]);
    let summary = train(&load(&world), &world.posts, &config, &options, &|_| ()).unwrap();
    let test = summary.metrics.test.unwrap();
    assert!(test.accuracy > 0.9, "{test:?}");
}
