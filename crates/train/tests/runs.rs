//! Whole runs over a store of made-up features.

#![allow(clippy::unwrap_used)]

mod world;

use std::path::Path;

use mmfnd_features::{Features, Store};
use mmfnd_posts::Label;
use mmfnd_train::{Config, Device, Error, Model, RunDir, RunOptions, RunSummary, train};
use world::{World, posts, write_store};

/// Small enough that an epoch takes milliseconds.
fn config(settings: &[&str]) -> Config {
    let small = [
        "head.projection_hidden=16",
        "head.projection=8",
        "head.fusion_hidden=8",
        "head.branch=4",
        "head.experts=2",
        "train.epochs=4",
        "train.batch_size=32",
        "train.learning_rate=0.005",
    ];
    let settings: Vec<_> = small
        .iter()
        .chain(settings)
        .map(|&s| s.to_owned())
        .collect();
    Config::read(None, &settings).unwrap()
}

fn options(out: &Path) -> RunOptions {
    RunOptions {
        out: out.to_owned(),
        store: "s".into(),
        ..RunOptions::default()
    }
}

/// The features of all posts.
fn load(world: &World) -> Features {
    let store = Store::open(&world.path("store")).unwrap();
    Features::load(&store, &world.posts, &mmfnd_train::ENCODERS).unwrap()
}

fn run(world: &World, name: &str, settings: &[&str]) -> Result<RunSummary, Error> {
    let out = world.path(name);
    train(
        &load(world),
        &world.posts,
        &config(settings),
        &options(&out),
        &|_| (),
    )
}

/// A run that is killed after `epochs` epochs, as a process is: nothing after that is written.
fn interrupted(world: &World, name: &str, epochs: usize) {
    interrupted_with(world, name, epochs, &[]);
}

fn interrupted_with(world: &World, name: &str, epochs: usize, settings: &[&str]) {
    let features = load(world);
    let out = world.path(name);
    let stopped = std::panic::catch_unwind(|| {
        train(
            &features,
            &world.posts,
            &config(settings),
            &options(&out),
            &|report| {
                assert!(report.epoch <= epochs, "killed");
            },
        )
    });
    assert!(stopped.is_err());
}

fn bytes(world: &World, run: &str, file: &str) -> Vec<u8> {
    std::fs::read(world.path(run).join(file)).unwrap()
}

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
    assert_eq!(summary.info.sizes.resnet_classes, world::CLASSES);
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
fn an_interrupted_run_resumes_and_ends_with_the_same_bytes() {
    let world = World::new(posts(96));
    run(&world, "whole", &[]).unwrap();
    for epochs in [0, 1, 3] {
        let name = format!("cut{epochs}");
        interrupted(&world, &name, epochs);
        let again = RunOptions {
            resume: true,
            ..options(&world.path(&name))
        };
        train(
            &load(&world),
            &world.posts,
            &config(&[]),
            &again,
            &|report| {
                assert!(
                    report.epoch > epochs,
                    "epoch {} is done again",
                    report.epoch
                );
            },
        )
        .unwrap();
        for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
            assert_eq!(
                bytes(&world, "whole", file),
                bytes(&world, &name, file),
                "{file} after {epochs}"
            );
        }
    }
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
    let again = RunOptions {
        resume: true,
        ..options(&world.path("cut"))
    };
    train(
        &load(&world),
        &world.posts,
        &config(&every),
        &again,
        &|_| (),
    )
    .unwrap();
    for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
        assert_eq!(
            bytes(&world, "whole", file),
            bytes(&world, "cut", file),
            "{file}"
        );
    }
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
    let again = RunOptions {
        resume: true,
        ..options(&world.path("cut"))
    };
    train(
        &load(&world),
        &world.posts,
        &config(&settings),
        &again,
        &|_| (),
    )
    .unwrap();
    for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
        assert_eq!(
            bytes(&world, "whole", file),
            bytes(&world, "cut", file),
            "{file}"
        );
    }
}

#[test]
fn a_run_is_neither_overwritten_nor_resumed_with_other_settings() {
    let world = World::new(posts(96));
    let first = run(&world, "run", &[]).unwrap();
    let error = run(&world, "run", &[]).unwrap_err().to_string();
    assert!(
        error.contains("--resume") && error.contains("--overwrite"),
        "{error}"
    );
    let with = |resume, settings: &[&str]| {
        let options = RunOptions {
            resume,
            overwrite: !resume,
            ..options(&world.path("run"))
        };
        train(
            &load(&world),
            &world.posts,
            &config(settings),
            &options,
            &|_| (),
        )
    };
    let error = with(true, &["train.epochs=5"]).unwrap_err().to_string();
    assert!(error.contains("`train.epochs` is 5, was 4"), "{error}");
    assert_eq!(with(true, &[]).unwrap().metrics, first.metrics);
    assert_eq!(
        with(false, &["train.epochs=5"])
            .unwrap()
            .metrics
            .selection
            .epochs,
        5
    );
}

#[test]
fn posts_without_a_picture_are_counted_and_listed() {
    let mut posts = posts(96);
    posts[5].images.clear();
    let world = World::new(posts);
    let summary = run(&world, "run", &[]).unwrap();
    assert_eq!(summary.info.counts.left_out, 1);
    let rejects = String::from_utf8(bytes(&world, "run", "rejects.csv")).unwrap();
    assert_eq!(
        rejects,
        "post_id,split,reason\np5,train,no usable picture\n"
    );
}

/// A quarter of the posts without a picture, an eighth without a text, one with neither.
fn incomplete(count: usize) -> World {
    let mut posts = posts(count);
    for (i, post) in posts.iter_mut().enumerate() {
        if i % 4 == 3 || i == 4 {
            post.images.clear();
        }
        if i % 8 == 4 {
            post.text = " ".into();
        }
    }
    World::new(posts)
}

#[test]
fn posts_that_lack_a_modality_are_masked_when_asked_for() {
    let world = incomplete(240);
    let dropped = run(&world, "dropped", &["train.epochs=1"]).unwrap();
    assert_eq!(dropped.info.counts.left_out, 61);
    let settings = ["train.missing=mask", "train.epochs=15"];
    let summary = run(&world, "masked", &settings).unwrap();
    assert_eq!(summary.info.counts.left_out, 1);
    let rejects = String::from_utf8(bytes(&world, "masked", "rejects.csv")).unwrap();
    assert!(
        rejects.contains("p4,train,neither text nor usable picture"),
        "{rejects}"
    );
    let test = summary.metrics.test.unwrap();
    assert!(test.n == 60 && test.accuracy > 0.9, "{test:?}");
    for (row, prediction) in summary.rows.iter().zip(&summary.predictions) {
        let (has_image, has_text) = (row % 4 != 3, row % 8 != 4);
        let there = prediction.attention.map(|weight| !weight.is_nan());
        assert_eq!(there, [has_text, has_image, has_text && has_image], "{row}");
        assert_eq!(!prediction.similarity.is_nan(), has_text && has_image);
    }
}

#[test]
fn with_masks_a_prediction_does_not_depend_on_the_other_posts_and_resuming_not_on_the_interruption()
{
    let world = incomplete(96);
    let settings = ["train.missing=mask", "train.batch_size=5"];
    let summary = run(&world, "run", &settings).unwrap();
    interrupted_with(&world, "cut", 2, &settings);
    let again = RunOptions {
        resume: true,
        ..options(&world.path("cut"))
    };
    train(
        &load(&world),
        &world.posts,
        &config(&settings),
        &again,
        &|_| (),
    )
    .unwrap();
    for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
        assert_eq!(
            bytes(&world, "run", file),
            bytes(&world, "cut", file),
            "{file}"
        );
    }
    let model = Model::load(&world.path("run"), Device::Flex).unwrap();
    for (row, prediction) in summary.rows.iter().zip(&summary.predictions) {
        let alone = model.predict(&load(&world), &world.posts, &[*row]).unwrap();
        assert_eq!(alone[0].unwrap().logits, prediction.logits, "{row}");
    }
    let neither = model.predict(&load(&world), &world.posts, &[4]).unwrap();
    assert_eq!(neither, [None]);
}

#[test]
fn a_head_leaves_out_the_posts_that_none_of_its_branches_can_read() {
    let world = incomplete(96);
    for (setting, left_out) in [
        ("head.ablation=text-only", 12),
        ("head.ablation=image-only", 25),
        ("head.ablation=multimodal-only", 36),
        ("head.ablation=without-p", 1),
        ("head.kind=linear", 1),
    ] {
        let settings = [setting, "train.missing=mask", "train.epochs=2"].map(str::to_owned);
        let config = Config::read(None, &settings).unwrap();
        let options = options(&world.path(setting));
        let summary = train(&load(&world), &world.posts, &config, &options, &|_| ()).unwrap();
        assert_eq!(summary.info.counts.left_out, left_out, "{setting}");
    }
    let settings = ["head.variant=released", "train.missing=mask"].map(str::to_owned);
    let error = Config::read(None, &settings).unwrap_err().to_string();
    assert!(error.contains("head.routing"), "{error}");
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
fn one_class_only_is_refused_before_anything_is_written() {
    let mut posts = posts(96);
    posts
        .iter_mut()
        .for_each(|post| post.label = Some(Label::Real));
    let world = World::new(posts);
    let error = run(&world, "run", &["train.select=test"])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("all 72 posts of split `train` are real"),
        "{error}"
    );
    assert!(!world.path("run").exists());
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
fn a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint() {
    let world = World::new(posts(96));
    let mut features = load(&world);
    interrupted(&world, "run", 1);
    let checkpoint = bytes(&world, "run", "checkpoint/last.safetensors");
    let mmfnd_features::Values::F16(values) = &mut features.columns[3].values else {
        panic!("features are stored as f16");
    };
    values.iter_mut().for_each(|value| *value = half::f16::NAN);
    let again = RunOptions {
        resume: true,
        ..options(&world.path("run"))
    };
    let error = train(&features, &world.posts, &config(&[]), &again, &|_| ());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("NaN in epoch 2, step 1"), "{error}");
    assert_eq!(
        checkpoint,
        bytes(&world, "run", "checkpoint/last.safetensors")
    );
}

#[test]
fn a_store_without_a_column_is_named_with_the_command() {
    let world = World::new(posts(16));
    let mut features: Features = load(&world);
    features.specs.remove(1);
    features.columns.remove(1);
    let options = options(&world.path("run"));
    let error = train(&features, &world.posts, &config(&[]), &options, &|_| ());
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("`clip_text`") && error.contains("mmfnd encode"),
        "{error}"
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
            assert_eq!(all[*row], Some(*prediction), "{name}");
        }
    }
}

#[test]
fn every_head_can_be_trained_and_read_back() {
    let world = World::new(posts(64));
    let heads = [
        "head.variant=released",
        "head.ablation=multimodal-only",
        "head.ablation=text-only",
        "head.ablation=image-only",
        "head.ablation=without-a",
        "head.ablation=without-f",
        "head.ablation=without-c",
        "head.ablation=without-s",
        "head.ablation=without-p",
        "head.pooling=query",
        "head.pooling=last",
        "head.fusion=sum",
        "head.levels=1",
        "head.shared_experts=1",
    ];
    for head in heads {
        let summary = run(&world, head, &[head, "train.epochs=1"]).unwrap();
        let model = Model::load(&world.path(head), Device::Flex).unwrap();
        let row = summary.rows[0];
        let p_fake = model.predict(&load(&world), &world.posts, &[row]).unwrap()[0]
            .unwrap()
            .p_fake;
        assert!(p_fake > 0.0 && p_fake < 1.0, "{head}: {p_fake}");
    }
}

#[test]
fn the_baselines_learn_what_can_be_learned_and_resume_to_the_same_bytes() {
    let world = World::new(posts(240));
    for kind in ["head.kind=linear", "head.kind=mlp"] {
        let settings = vec![
            kind.to_owned(),
            "train.epochs=15".into(),
            "train.learning_rate=0.01".into(),
        ];
        let config = Config::read(None, &settings).unwrap();
        let features = load(&world);
        let out = world.path(kind);
        let run = |stop: usize, resume| {
            let options = RunOptions {
                resume,
                ..options(&out)
            };
            std::panic::catch_unwind(|| {
                train(&features, &world.posts, &config, &options, &|report| {
                    assert!(report.epoch <= stop, "killed");
                })
            })
        };
        assert!(run(3, false).is_err());
        let cut = run(15, true).unwrap().unwrap();
        let weights = bytes(&world, kind, "weights.safetensors");
        std::fs::remove_dir_all(&out).unwrap();
        let whole = run(15, false).unwrap().unwrap();
        assert_eq!(
            weights,
            bytes(&world, kind, "weights.safetensors"),
            "{kind}"
        );
        assert_eq!(cut.metrics, whole.metrics, "{kind}");
        let test = whole.metrics.test.unwrap();
        assert!(test.accuracy > 0.9, "{kind}: {test:?}");
        let model = Model::load(&out, Device::Flex).unwrap();
        let again = model.predict(&features, &world.posts, &whole.rows).unwrap();
        let again: Vec<_> = again.into_iter().flatten().map(|p| p.p_fake).collect();
        let before: Vec<_> = whole.predictions.iter().map(|p| p.p_fake).collect();
        assert_eq!(again, before, "{kind}");
    }
}

#[test]
fn a_head_asks_only_for_the_features_that_it_reads() {
    let world = World::new(posts(64));
    let store = world.path("some");
    write_store(
        &store,
        &world.posts,
        &["bert", "clip_text", "clip_image"],
        "1f2e",
    );
    let store = Store::open(&store).unwrap();
    for settings in [
        ["head.ablation=text-only", "train.epochs=1"],
        [
            "head.kind=linear",
            "head.features=[\"bert\", \"clip_image\"]",
        ],
    ] {
        let settings = settings.map(str::to_owned);
        let config = Config::read(None, &settings).unwrap();
        let encoders = config.head.encoders();
        let features = Features::load(&store, &world.posts, &encoders).unwrap();
        let options = options(&world.path(&settings[1]));
        let summary = train(&features, &world.posts, &config, &options, &|_| ()).unwrap();
        let read: Vec<_> = summary
            .info
            .encoders
            .iter()
            .map(|spec| &spec.name)
            .collect();
        assert_eq!(read, encoders);
        assert_eq!(summary.info.sizes.resnet, 0);
    }
    let whole = Config::default().head.encoders();
    let error = Features::load(&store, &world.posts, &whole)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`resnet`") && error.contains("mmfnd encode"),
        "{error}"
    );
}

#[test]
fn weights_of_another_head_or_size_are_refused_by_name() {
    let world = World::new(posts(64));
    for (name, settings) in [
        ("run", &[][..]),
        ("wide", &["head.branch=5"]),
        ("sum", &["head.ablation=without-f"]),
    ] {
        run(&world, name, &[&["train.epochs=1"], settings].concat()).unwrap();
    }
    let weights = |run: &str| world.path(run).join("weights.safetensors");
    let swap = |from: &str| {
        std::fs::copy(weights(from), weights("run")).unwrap();
        Model::load(&world.path("run"), Device::Flex)
            .unwrap_err()
            .to_string()
    };
    let error = swap("wide");
    assert!(
        error.contains("has shape") && error.contains("the head needs"),
        "{error}"
    );
    let error = swap("sum");
    assert!(error.contains("another head"), "{error}");
}

#[test]
fn a_checkpoint_of_another_size_or_head_is_refused_by_name() {
    let world = World::new(posts(96));
    interrupted(&world, "run", 1);
    interrupted_with(&world, "wide", 1, &["head.branch=5"]);
    interrupted_with(&world, "other", 1, &["head.ablation=without-f"]);
    let last = |run: &str| world.path(run).join("checkpoint/last.safetensors");
    for (from, why) in [("wide", "has shape"), ("other", "another head")] {
        std::fs::copy(last(from), last("run")).unwrap();
        let again = RunOptions {
            resume: true,
            ..options(&world.path("run"))
        };
        let error = train(&load(&world), &world.posts, &config(&[]), &again, &|_| ());
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("last.safetensors") && error.contains(why),
            "{error}"
        );
    }
}

#[test]
fn features_of_other_encoders_are_refused() {
    let world = World::new(posts(64));
    run(&world, "run", &[]).unwrap();
    let model = Model::load(&world.path("run"), Device::Flex).unwrap();
    let other = world.path("other");
    write_store(&other, &world.posts, &mmfnd_train::ENCODERS, "ffff");
    let store = Store::open(&other).unwrap();
    let features = Features::load(&store, &world.posts, &mmfnd_train::ENCODERS).unwrap();
    let error = model
        .predict(&features, &world.posts, &[0])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`bert`") && error.contains("1f2e") && error.contains("`made-up`"),
        "{error}"
    );
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
        let difference = flex.p_fake - ndarray.unwrap().p_fake;
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
