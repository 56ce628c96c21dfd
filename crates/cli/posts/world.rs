//! `mmfnd world`: the demo world on its own, or scenes without labels to train encoders on.

use std::path::PathBuf;

use anyhow::Context;
use mmfnd_demo_world::{WorldOptions, generate, generate_unlabelled};

use crate::outputs::Folder;
use crate::show::count::count;
use crate::show::progress::Stage;

/// Write the demo world on its own, or scenes without labels to train encoders on
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder for posts.parquet, facts.jsonl and images/
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Same seed, same world, byte for byte
    #[arg(long, value_name = "N", default_value_t = WorldOptions::default().seed)]
    seed: u64,
    /// Number of posts
    #[arg(long, value_name = "N", default_value_t = WorldOptions::default().posts, value_parser = size)]
    posts: usize,
    /// Only untampered pictures with true captions, no labels and no posts.parquet: what models/demo/train.py trains
    /// the demo encoders on
    #[arg(long)]
    unlabelled: bool,
}

fn size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(posts @ 1..=1_000_000) => Ok(posts),
        _ => Err("a number of posts from 1 to 1000000".into()),
    }
}

/// Writes the world.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let options = WorldOptions {
        seed: arguments.seed,
        posts: arguments.posts,
    };
    let out = &arguments.out;
    Folder::World.check(out, &["posts.parquet"])?;
    let stage = Stage::start("world", arguments.posts as u64);
    match arguments.unlabelled {
        true => generate_unlabelled(&options, out),
        false => generate(&options, out).map(drop),
    }
    .with_context(|| format!("could not make a world in `{}`", out.display()))?;
    let posts = count(options.posts, "post");
    stage.finish(&format!("{posts} in `{}`", out.display()));
    Ok(())
}
