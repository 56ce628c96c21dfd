//! Small runs over a store of made-up features.

use std::path::Path;

use crate::world::{World, posts};
use mmfnd_features::{Features, Store};
use mmfnd_train::{Config, EpochReport, Error, RunOptions, RunSummary, train};

/// Small enough that an epoch takes milliseconds.
pub fn config(settings: &[&str]) -> Config {
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

pub fn options(out: &Path) -> RunOptions {
    RunOptions {
        out: out.to_owned(),
        store: "s".into(),
        ..RunOptions::default()
    }
}

/// The features of all posts.
pub fn load(world: &World) -> Features {
    let store = Store::open(&world.path("store")).unwrap();
    let encoders: Vec<_> = store
        .encoders()
        .iter()
        .map(|spec| spec.name.as_str())
        .collect();
    Features::load(&store, &world.posts, &encoders).unwrap()
}

pub fn run(world: &World, name: &str, settings: &[&str]) -> Result<RunSummary, Error> {
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
pub fn interrupted(world: &World, name: &str, epochs: usize) {
    interrupted_with(world, name, epochs, &[]);
}

pub fn interrupted_with(world: &World, name: &str, epochs: usize, settings: &[&str]) {
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

/// Resumes an interrupted run: it ends with the same bytes as the whole one. `on_epoch` is told of each epoch.
pub fn resumes_like(
    world: &World,
    (whole, cut): (&str, &str),
    settings: &[&str],
    on_epoch: &dyn Fn(&EpochReport),
) {
    let again = RunOptions {
        resume: true,
        ..options(&world.path(cut))
    };
    let config = config(settings);
    train(&load(world), &world.posts, &config, &again, on_epoch).unwrap();
    for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
        assert_eq!(
            bytes(world, whole, file),
            bytes(world, cut, file),
            "{file} of {cut}"
        );
    }
}

pub fn bytes(world: &World, run: &str, file: &str) -> Vec<u8> {
    std::fs::read(world.path(run).join(file)).unwrap()
}

/// A quarter of the posts without a picture, an eighth without a text, one with neither.
pub fn incomplete(count: usize) -> World {
    World::new(incomplete_posts(count))
}

/// The posts of [`incomplete`].
pub fn incomplete_posts(count: usize) -> Vec<mmfnd_posts::Post> {
    let mut posts = posts(count);
    for (i, post) in posts.iter_mut().enumerate() {
        if i % 4 == 3 || i == 4 {
            post.images.clear();
        }
        if i % 8 == 4 {
            post.text = " ".into();
        }
    }
    posts
}
