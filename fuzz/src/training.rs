//! A run of a tiny head over the store of [`fixture`](crate::fixture).

use std::path::Path;

use mmfnd_features::{Features, Store};
use mmfnd_posts::Post;
use mmfnd_train::{Config, Error, RunOptions, RunSummary, train};

use crate::{fixture, scratch};

/// Posts with their features.
pub struct World {
    /// Half of them fakes.
    pub posts: Vec<Post>,
    /// From all encoders.
    pub features: Features,
}

/// Writes the store and loads it.
pub fn world() -> World {
    let store = scratch().join("training-store");
    let posts = fixture::posts(16);
    fixture::write_store(&store, &posts);
    let store = Store::open(&store).expect("it was just written");
    let features = Features::load(&store, &posts, &mmfnd_train::ENCODERS);
    World {
        features: features.expect("all posts are in it"),
        posts,
    }
}

/// Settings of a head that is trained in milliseconds.
pub fn settings() -> Vec<String> {
    let small = [
        "head.projection_hidden=4",
        "head.projection=4",
        "head.fusion_hidden=4",
        "head.branch=4",
        "head.experts=1",
        "train.epochs=2",
        "train.batch_size=16",
    ];
    small.map(str::to_owned).to_vec()
}

/// Trains, or goes on.
pub fn run(world: &World, out: &Path, stop_after: usize) -> Result<RunSummary, Error> {
    let config = Config::read(None, &settings())?;
    let options = RunOptions {
        out: out.to_owned(),
        store: "s".to_owned(),
        resume: true,
        ..RunOptions::default()
    };
    train(
        &world.features,
        &world.posts,
        &config,
        &options,
        &|report| {
            // As a kill would: nothing after it is written.
            if report.epoch > stop_after {
                std::panic::resume_unwind(Box::new("stopped"));
            }
        },
    )
}
