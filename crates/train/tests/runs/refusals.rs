//! What cannot be trained or used is refused by name.

use mmfnd_features::{ColumnValues, Features, Store, Values};
use mmfnd_posts::{Label, Split};
use mmfnd_train::{Device, Model, RunDir, RunOptions, train};

use crate::setup::{bytes, config, interrupted, interrupted_with, load, options, run};
use crate::world::{World, posts, write_store};

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
fn a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint() {
    let world = World::new(posts(96));
    let mut features = load(&world);
    interrupted(&world, "run", 1);
    let checkpoint = bytes(&world, "run", "checkpoint/last.safetensors");
    let ColumnValues::Memory(Values::F16(values)) = &mut features.columns[3].values else {
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
fn weights_that_the_last_step_spoiled_end_the_run() {
    let world = World::new(posts(96));
    let mut features = load(&world);
    let ColumnValues::Memory(Values::F16(values)) = &mut features.columns[3].values else {
        panic!("features are stored as f16");
    };
    // all steps of the epoch are sound, what is scored after the last one is not
    let rows = values.chunks_exact_mut(10).zip(&world.posts);
    for (row, _) in rows.filter(|(_, post)| post.split == Split::Test) {
        row.fill(half::f16::NAN);
    }
    let options = options(&world.path("run"));
    let settings = config(&["train.select=test"]);
    let error = train(&features, &world.posts, &settings, &options, &|_| ());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("NaN in epoch 1, step 3"), "{error}");
}

#[test]
fn a_folder_that_is_something_else_is_refused_and_nothing_in_it_touched() {
    let world = World::new(posts(64));
    let run_in = |folder: &str| {
        let options = RunOptions {
            overwrite: true,
            ..options(&world.path(folder))
        };
        let settings = config(&["train.epochs=1"]);
        train(&load(&world), &world.posts, &settings, &options, &|_| ())
    };
    let rejects = world.path("store/rejects.csv");
    std::fs::write(&rejects, "mine").unwrap();
    let error = run_in("store").unwrap_err().to_string();
    assert!(error.contains("is no run directory"), "{error}");
    assert_eq!(std::fs::read(&rejects).unwrap(), b"mine");

    let mine = world.path("mine/checkpoint/model.bin");
    std::fs::create_dir_all(mine.parent().unwrap()).unwrap();
    std::fs::write(&mine, "mine").unwrap();
    let error = run_in("mine").unwrap_err().to_string();
    assert!(error.contains("it has `checkpoint`"), "{error}");
    std::fs::write(world.path("mine/config.toml"), "[package]\n").unwrap();
    assert!(run_in("mine").is_err());
    assert!(mine.exists());

    // what a kill leaves of a run, early and late
    std::fs::create_dir_all(world.path("run/checkpoint")).unwrap();
    run_in("run").unwrap();
    std::fs::write(world.path("run/run.json"), "{").unwrap();
    run_in("run").unwrap();
    std::fs::write(world.path("run/notes.txt"), "mine").unwrap();
    run_in("run").unwrap();
    assert!(world.path("run/notes.txt").exists());
}

#[test]
fn two_trainings_do_not_write_to_one_folder() {
    let world = World::new(posts(64));
    run(&world, "run", &["train.epochs=1"]).unwrap();
    let weights = bytes(&world, "run", "weights.safetensors");
    let (_run, _lock) = RunDir::create(&world.path("run"), true, false).unwrap();
    for resume in [true, false] {
        let options = RunOptions {
            resume,
            overwrite: !resume,
            ..options(&world.path("run"))
        };
        let settings = config(&["train.epochs=1"]);
        let error = train(&load(&world), &world.posts, &settings, &options, &|_| ());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("written by another training"), "{error}");
    }
    assert_eq!(weights, bytes(&world, "run", "weights.safetensors"));
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
fn a_run_says_whether_it_saw_the_text_in_pictures_and_refuses_posts_of_the_other_kind() {
    let world = World::new(posts(96));
    let said = |trained: bool, encoded: bool, read: Option<&str>| {
        let mut features = load(&world);
        assert_eq!(features.with_ocr, Some(false));
        features.with_ocr = Some(trained);
        let out = world.path(&format!("{trained}"));
        let options = RunOptions {
            overwrite: true,
            ..options(&out)
        };
        let settings = config(&["train.epochs=1"]);
        let run = train(&features, &world.posts, &settings, &options, &|_| ()).unwrap();
        assert_eq!(run.info.with_ocr, Some(trained));
        features.with_ocr = Some(encoded);
        let mut posts = world.posts.clone();
        let ocr_text = read.map(str::to_owned);
        posts
            .iter_mut()
            .for_each(|post| post.ocr_text.clone_from(&ocr_text));
        let predicted =
            Model::load(&out, Device::default())
                .unwrap()
                .predict(&features, &posts, &[0]);
        predicted.err().map(|error| error.to_string())
    };
    for read in [None, Some("NOT RED")] {
        let problem = said(true, false, read).unwrap();
        assert!(
            problem.contains("encode them with `--with-ocr`"),
            "{problem}"
        );
    }
    let problem = said(false, true, Some("NOT RED")).unwrap();
    assert!(
        problem.contains("encode them without `--with-ocr`"),
        "{problem}"
    );
    // What was read and found empty is nothing to be appended.
    assert_eq!(said(true, false, Some("")), None);
    assert_eq!(said(true, true, Some("NOT RED")), None);
    assert_eq!(said(false, false, Some("NOT RED")), None);
}
