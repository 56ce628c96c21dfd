//! `mmfnd encode --shard` and `mmfnd features merge` with the demo encoders: parts of the work that become the whole.

use std::fs;
use std::path::{Path, PathBuf};

use mmfnd_demo_world::{WorldOptions, generate};
use mmfnd_features::{Features, Store, StoreWriter};
use mmfnd_posts::{read_posts, write_posts};

use crate::program::{Mmfnd, Ran};

const NAMES: [&str; 5] = ["bert", "tokens", "clip_text", "clip_image", "resnet"];

/// A demo world in which a picture of some posts does not decode, so that another one stands for the post, or none.
fn world(folder: &Path) -> PathBuf {
    generate(&WorldOptions { seed: 9, posts: 60 }, folder).unwrap();
    let path = folder.join("posts.parquet");
    let mut posts = read_posts(&path).unwrap();
    for number in 0..8 {
        let good = posts[number].images[0].clone();
        let bytes = fs::read(&good).unwrap();
        let cut = folder.join(format!("cut {number}.jpg"));
        fs::write(&cut, &bytes[..bytes.len() - 40 - number]).unwrap();
        posts[number].images = match number % 4 {
            0 => vec![cut, folder.join("absent.png")],
            1 => vec![cut, good],
            2 => vec![good, cut],
            _ => vec![],
        };
    }
    write_posts(&path, &posts).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn encode(posts: &Path, store: &Path, more: &[&str]) -> Mmfnd {
    let given = ["encode", "--posts", text(posts), "--preset", "demo"];
    let with_tokens = ["--with-tokens", "--store", text(store)];
    Mmfnd::new([&given[..], &with_tokens, more].concat())
}

fn merge(stores: &[PathBuf], out: &Path) -> Mmfnd {
    let stores = stores.iter().map(|store| text(store));
    let given = ["features", "merge"].into_iter().chain(stores);
    Mmfnd::new(given.chain(["--out", text(out)]))
}

fn shards(folder: &Path, posts: &Path) -> Vec<PathBuf> {
    let one = |number: usize| {
        let store = folder.join(format!("shard {number}"));
        encode(posts, &store, &["--shard", &format!("{number}/3")])
            .succeeds()
            .expect_stdout(&format!("shard {number}/3: "));
        store
    };
    (1..=3).map(one).collect()
}

fn encoded(ran: &Ran) -> Vec<usize> {
    let number = |name: &&str| {
        let line = ran
            .stdout
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap()
            .split_whitespace()
            .nth(2)
            .unwrap()
            .parse()
            .unwrap()
    };
    NAMES.iter().map(number).collect()
}

#[test]
fn three_shards_merged_are_the_store_of_one_machine() {
    let folder = tempfile::tempdir().unwrap();
    let posts = world(folder.path());
    let whole = folder.path().join("whole");
    let all = encode(&posts, &whole, &[]).succeeds();
    let shards = shards(folder.path(), &posts);
    let merged = folder.path().join("merged");
    merge(&shards, &merged)
        .succeeds()
        .expect_stdout("3 stores merged")
        .expect_stdout("60 posts");

    let links = |store: &Path| StoreWriter::open(store).unwrap().links().unwrap();
    assert_eq!(links(&merged), links(&whole));
    let rejects = |store: &Path| {
        let text = fs::read_to_string(store.join("rejects.csv")).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(rejects(&merged), rejects(&whole));
    assert!(rejects(&whole).len() > 4, "some pictures cannot be used");
    let rows = |store: &Path| {
        let inspection = Store::open(store).unwrap().inspect().unwrap();
        inspection
            .encoders
            .iter()
            .map(|encoder| encoder.rows)
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&merged), rows(&whole));
    assert_eq!(rows(&whole), encoded(&all));

    let read = read_posts(&posts).unwrap();
    let load = |store: &Path| Features::load(&Store::open(store).unwrap(), &read, &NAMES).unwrap();
    let (a, b) = (load(&merged), load(&whole));
    assert_eq!(a.image_key, b.image_key);
    for (a, b) in a.columns.iter().zip(&b.columns) {
        for post in 0..read.len() {
            let (mut x, mut y) = (vec![0.0; a.width_of(post)], vec![0.0; b.width_of(post)]);
            assert_eq!(a.copy_row(post, &mut x), b.copy_row(post, &mut y));
            // Batches differ between the two, and with them the last bits.
            let far = x
                .iter()
                .zip(&y)
                .map(|(x, y)| (x - y).abs())
                .fold(0.0, f32::max);
            let largest = y.iter().fold(1.0, |most: f32, y| most.max(y.abs()));
            assert!(far <= 2e-3 * largest, "{far} of {largest}");
        }
    }
}

#[test]
fn a_merged_store_goes_on_as_if_it_had_been_one() {
    let folder = tempfile::tempdir().unwrap();
    let posts = world(folder.path());
    let shards = shards(folder.path(), &posts);
    let merged = folder.path().join("merged");
    merge(&shards, &merged).succeeds();
    encode(&posts, &merged, &[])
        .succeeds()
        .expect_stdout("nothing to encode: everything is in the store")
        .expect_stdout("0 links written");
    Mmfnd::new([
        "features",
        "verify",
        text(&merged),
        "--sample",
        "4",
        "--preset",
        "demo",
        "--posts",
        text(&posts),
    ])
    .succeeds();
    merge(&shards, &merged)
        .fails()
        .expect_stderr("exists already; name a new folder");
}

#[test]
fn shards_are_told_from_whole_stores() {
    let folder = tempfile::tempdir().unwrap();
    let posts = world(folder.path());
    let store = folder.path().join("store");
    encode(&posts, &store, &["--shard", "2/3"]).succeeds();
    encode(&posts, &store, &[])
        .fails()
        .expect_stderr("holds shard 2/3; go on with `--shard 2/3`");
    encode(&posts, &store, &["--shard", "2/3"])
        .succeeds()
        .expect_stdout("nothing to encode");
    Mmfnd::new(["features", "inspect", text(&store)])
        .succeeds()
        .expect_stdout("(shard 2/3)");
    let run = folder.path().join("run");
    Mmfnd::new([
        "train",
        "--posts",
        text(&posts),
        "--store",
        text(&store),
        "--out",
        text(&run),
    ])
    .fails()
    .expect_stderr("holds shard 2/3 only")
    .expect_stderr("mmfnd features merge");
    let other = folder.path().join("other");
    encode(&posts, &other, &["--shard", "1/3"]).succeeds();
    merge(&[store, other], &folder.path().join("merged"))
        .fails()
        .expect_stderr("3/3 is missing");
}
