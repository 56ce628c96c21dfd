//! Features that stay on the disk: the same run, byte for byte, and an error when they cannot be read any more.

#![allow(clippy::unwrap_used)]

mod world;

use std::path::PathBuf;

use mmfnd_features::{Features, Key, Store};
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

/// A number of the part of an encoder becomes infinite, and the part gets the name of its new contents.
fn spoil(world: &World, encoder: &str) {
    let folder = world.path("store/encoders").join(encoder);
    let parts = std::fs::read_dir(folder).unwrap();
    let parts = parts.map(|entry| entry.unwrap().path());
    let is_part = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "parquet");
    let part = parts.into_iter().find(is_part).unwrap();
    let mut bytes = std::fs::read(&part).unwrap();
    let value = half::f16::from_f32(world::row(&world.posts[7], 3)[4]).to_le_bytes();
    let row: Vec<u8> = (world::row(&world.posts[7], 3).into_iter())
        .flat_map(|value| half::f16::from_f32(value).to_le_bytes())
        .collect();
    let start = bytes.windows(row.len()).position(|window| window == row);
    let place = start.unwrap() + 8;
    assert_eq!(bytes[place..place + 2], value);
    bytes[place..place + 2].copy_from_slice(&half::f16::NAN.to_le_bytes());
    let hash = Key::of(&bytes).to_string();
    std::fs::remove_file(&part).unwrap();
    let name = format!("000000-{}.parquet", &hash[..16]);
    std::fs::write(part.with_file_name(name), bytes).unwrap();
}

#[test]
fn a_number_that_is_none_is_named_with_its_post_in_memory_and_on_the_disk() {
    let world = World::new(posts(150));
    spoil(&world, "resnet");
    let store = Store::open(&world.path("store")).unwrap();
    let in_memory = Features::load(&store, &world.posts, &ENCODERS);
    let in_memory = in_memory.unwrap_err().to_string();
    let on_disk = run(&world, "run", &within(&world, 0));
    let on_disk = on_disk.unwrap_err().to_string();
    for error in [in_memory, on_disk] {
        let expected = "post `p7` (row 8 of the posts): encoder `resnet`, key ";
        assert!(error.starts_with(expected), "{error}");
        assert!(error.contains("value 4: NaN is no number"), "{error}");
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
