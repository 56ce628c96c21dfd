//! Features that stay on the disk: the same run, byte for byte, and an error when they cannot be read any more.

#![allow(clippy::unwrap_used)]

mod world;

use mmfnd_features::{Features, Store};
use mmfnd_train::{Config, ENCODERS, Error, RunOptions, RunSummary, train};
use world::{World, posts};

fn config() -> Config {
    let settings = [
        "head.projection_hidden=16",
        "head.projection=8",
        "head.fusion_hidden=8",
        "head.branch=4",
        "train.epochs=3",
        "train.batch_size=16",
    ];
    Config::read(None, &settings.map(str::to_owned)).unwrap()
}

fn within(world: &World, budget: u64) -> Features {
    let store = Store::open(&world.path("store")).unwrap();
    Features::load_within(&store, &world.posts, &ENCODERS, budget).unwrap()
}

fn run(world: &World, name: &str, features: &Features) -> Result<RunSummary, Error> {
    let options = RunOptions {
        out: world.path(name),
        store: "s".into(),
        ..RunOptions::default()
    };
    train(features, &world.posts, &config(), &options, &|_| ())
}

#[test]
fn a_run_on_features_that_stay_on_the_disk_is_the_run_on_those_in_memory() {
    let world = World::new(posts(150));
    // All of them, and one that fits no more beside three in memory.
    for (name, budget, on_disk) in [
        ("memory", u64::MAX, 0),
        ("disk", 0, 4),
        ("both", 150 * 50, 1),
    ] {
        let features = within(&world, budget);
        let streamed = features.columns.iter().filter(|column| column.is_on_disk());
        assert_eq!(streamed.count(), on_disk, "{name}");
        run(&world, name, &features).unwrap();
    }
    for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
        let [memory, disk, both] = ["memory", "disk", "both"]
            .map(|name| std::fs::read(world.path(name).join(file)).unwrap());
        assert!(memory == disk && memory == both, "{file}");
    }
}

#[cfg(unix)]
#[test]
fn features_that_vanish_stop_the_run_and_are_named() {
    let world = World::new(posts(150));
    let features = within(&world, 0);
    for part in std::fs::read_dir(world.path("store/encoders/resnet")).unwrap() {
        let path = part.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "parquet") {
            let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(40).unwrap();
        }
    }
    let error = run(&world, "run", &features).unwrap_err().to_string();
    assert!(error.contains("encoders/resnet/000000-"), "{error}");
}
