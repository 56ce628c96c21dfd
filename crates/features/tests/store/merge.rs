//! Stores that become one: whole or not at all, equal to the one that they are parts of, and only if they go together.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mmfnd_features::{
    EncoderSpec, Features, Inspection, Shard, Store, StoreReject, StoreWriter, merge, verify,
};
use mmfnd_posts::Post;

use crate::fixture::{bert, link, picture_key, post, resnet, row, rows, text_key};

/// A folder for several stores, removed at the end.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A store of some posts with both encoders, as if it were all that there is, or a shard of it.
    fn store(&self, name: &str, posts: &[Post], shard: Option<&str>) -> PathBuf {
        let shard: Option<Shard> = shard.map(|shard| shard.parse().unwrap());
        let is_ours = |key: &mmfnd_features::Key| shard.is_none_or(|shard| shard.holds(key));
        let path = self.path(name);
        let mut writer = StoreWriter::open(&path).unwrap();
        writer.set_shard(shard).unwrap();
        let mut texts: Vec<_> = posts.iter().map(text_key).filter(is_ours).collect();
        texts.sort();
        texts.dedup();
        let mut encoder = writer.encoder(&bert(), false).unwrap();
        encoder.spent(Duration::from_secs(2));
        encoder.append(&texts, &rows(bert(), &texts)).unwrap();
        let mut encoder = writer.encoder(&resnet(), false).unwrap();
        let pictures = posts.iter().flat_map(|post| &post.images);
        let pictures = pictures.map(|path| picture_key(path.to_str().unwrap()));
        let mut pictures: Vec<_> = pictures.filter(is_ours).collect();
        pictures.sort();
        pictures.dedup();
        encoder
            .append(&pictures, &rows(resnet(), &pictures))
            .unwrap();
        let layer = self.path("layer.safetensors");
        fs::write(&layer, b"weights").unwrap();
        encoder.set_classifier(&layer).unwrap();
        let home = |post: &&Post| is_ours(&link(post).image_key.unwrap_or(text_key(post)));
        let links: Vec<_> = posts.iter().filter(home).map(link).collect();
        writer.write_links(&links).unwrap();
        let rejects = posts
            .iter()
            .filter(home)
            .filter(|post| post.images.is_empty());
        let rejects: Vec<_> = rejects.map(reject).collect();
        writer.write_rejects(&rejects).unwrap();
        path
    }

    fn shards(&self, posts: &[Post], of: usize) -> Vec<PathBuf> {
        let shard = |n: usize| self.store(&format!("shard {n}"), posts, Some(&format!("{n}/{of}")));
        (1..=of).map(shard).collect()
    }
}

fn reject(post: &Post) -> StoreReject {
    StoreReject {
        post_id: post.id.clone(),
        path: "gone.png".into(),
        reason: "no such file".into(),
    }
}

fn posts(numbers: std::ops::Range<usize>) -> Vec<Post> {
    let one = |number: usize| {
        let picture = format!("{}.png", number % 7);
        let picture = (!number.is_multiple_of(5)).then_some(picture.as_str());
        post(
            &number.to_string(),
            &format!("text {}", number % 30),
            picture,
        )
    };
    numbers.map(one).collect()
}

fn features(store: &Path, posts: &[Post]) -> Vec<[Option<Vec<f32>>; 2]> {
    let features =
        Features::load(&Store::open(store).unwrap(), posts, &["bert", "resnet"]).unwrap();
    let of = |post| ["bert", "resnet"].map(|encoder| row(&features, encoder, post));
    (0..posts.len()).map(of).collect()
}

fn lines(store: &Path) -> Vec<String> {
    let text = fs::read_to_string(store.join("rejects.csv")).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn refused(stores: &[PathBuf], out: &Path) -> String {
    let error = merge(stores, out).unwrap_err().to_string();
    assert!(!out.exists(), "{error}");
    error
}

#[test]
fn shards_become_the_store_that_they_are_parts_of() {
    let folder = Folder::new();
    let posts = posts(0..50);
    let whole = folder.store("whole", &posts, None);
    let shards = folder.shards(&posts, 3);
    let out = folder.path("merged");
    let merged = merge(&shards, &out).unwrap();
    assert_eq!((merged.stores, merged.posts, merged.rejects), (3, 50, 10));
    assert_eq!(
        merged.encoders,
        [("bert".to_owned(), 30), ("resnet".to_owned(), 7)]
    );
    assert_eq!(verify(&out).unwrap().problems, []);
    assert_eq!(features(&out, &posts), features(&whole, &posts));
    assert_eq!(lines(&out), lines(&whole));
    let links = |store: &PathBuf| StoreWriter::open(store).unwrap().links().unwrap();
    assert_eq!(links(&out), links(&whole));
    let inspect = |store: &PathBuf| Store::open(store).unwrap().inspect().unwrap();
    let (a, b) = (inspect(&out), inspect(&whole));
    assert_eq!(
        (a.posts, a.texts, a.pictures, a.rejects),
        (b.posts, b.texts, b.pictures, b.rejects)
    );
    assert!(!a.is_unfinished() && a.shard.is_none());
    let seconds = |inspection: &Inspection| -> Vec<f64> {
        let encoders = inspection.encoders.iter();
        encoders.map(|encoder| encoder.seconds).collect()
    };
    assert_eq!((seconds(&a), seconds(&b)), (vec![6.0, 0.0], vec![2.0, 0.0]));
    let loaded = Features::load(&Store::open(&out).unwrap(), &posts, &["bert", "resnet"]);
    let known = [("bert".to_owned(), 6.0)].into();
    assert_eq!(loaded.unwrap().encoding_seconds, known);
    // The merged store is one like any other: the whole work goes on in it.
    StoreWriter::open(&out).unwrap().set_shard(None).unwrap();
    for shard in &shards {
        assert_eq!(
            verify(shard).unwrap().problems,
            [],
            "the shards are as they were"
        );
    }
}

#[test]
fn stores_of_different_posts_become_one() {
    let folder = Folder::new();
    let (a, b) = (posts(0..20), posts(20..45));
    let stores = [folder.store("a", &a, None), folder.store("b", &b, None)];
    let out = folder.path("merged");
    merge(&stores, &out).unwrap();
    let all = [a, b].concat();
    assert_eq!(features(&out, &all).len(), 45);
    assert_eq!(verify(&out).unwrap().problems, []);
}

#[test]
fn a_shard_is_neither_loaded_nor_written_to_as_if_it_were_all() {
    let folder = Folder::new();
    let posts = posts(0..20);
    let shard = folder.shards(&posts, 2).remove(0);
    let error = Features::load(&Store::open(&shard).unwrap(), &posts, &["bert"]).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("holds shard 1/2 only") && error.contains("merge"),
        "{error}"
    );
    let mut writer = StoreWriter::open(&shard).unwrap();
    for (other, remedy) in [(None, "--shard 1/2"), (Some("2/2"), "--shard 1/2")] {
        let other = other.map(|other: &str| other.parse().unwrap());
        let error = writer.set_shard(other).unwrap_err().to_string();
        assert!(error.contains(remedy), "{error}");
    }
    let whole = folder.store("whole", &posts, None);
    let shard = Some("1/2".parse().unwrap());
    let error = StoreWriter::open(&whole)
        .unwrap()
        .set_shard(shard)
        .unwrap_err();
    assert!(error.to_string().contains("leave out `--shard`"), "{error}");
}

#[test]
fn shards_that_are_not_the_whole_are_refused_naming_what_is_missing() {
    let folder = Folder::new();
    let posts = posts(0..50);
    let shards = folder.shards(&posts, 3);
    let out = folder.path("merged");
    let said = refused(&shards[..2], &out);
    assert!(
        said.contains("3/3 is missing") && said.contains("--shard 3/3"),
        "{said}"
    );
    let whole = folder.store("whole", &posts, None);
    let said = refused(&[shards[0].clone(), whole], &out);
    assert!(said.contains("is no shard"), "{said}");
    let other = folder.store("other", &posts, Some("2/2"));
    let said = refused(&[shards[0].clone(), other], &out);
    assert!(said.contains("different splits"), "{said}");
    let twin = folder.store("twin", &posts, Some("1/3"));
    let said = refused(&[shards[0].clone(), twin], &out);
    assert!(said.contains("so does"), "{said}");
    let said = refused(&[shards[0].clone(), shards[0].clone()], &out);
    assert!(said.contains("given twice"), "{said}");
    let said = refused(&[shards[0].clone(), folder.path("none")], &out);
    assert!(said.contains("is no feature store"), "{said}");
    assert!(refused(&shards[..1], &out).contains("fewer than two"));
}

#[test]
fn stores_of_other_encoders_unfinished_ones_and_other_layers_are_refused() {
    let folder = Folder::new();
    let (a, b) = (
        folder.store("a", &posts(0..20), None),
        folder.store("b", &posts(20..40), None),
    );
    let out = folder.path("merged");
    let with = |change: &dyn Fn(&mut StoreWriter)| {
        let b = folder.store("c", &posts(20..40), None);
        change(&mut StoreWriter::open(&b).unwrap());
        let said = refused(&[a.clone(), b.clone()], &out);
        fs::remove_dir_all(b).unwrap();
        said
    };
    let other = EncoderSpec {
        fingerprint: "another".into(),
        ..bert()
    };
    let said = with(&|writer| drop(writer.encoder(&other, true).unwrap()));
    assert!(
        said.contains("of another encoder") && said.contains("another"),
        "{said}"
    );
    let more = EncoderSpec {
        name: "more".into(),
        ..bert()
    };
    let said = with(&|writer| drop(writer.encoder(&more, false).unwrap()));
    assert!(said.contains("no features of encoder `more`"), "{said}");
    let said = with(&|writer| {
        let key = text_key(&posts(0..1)[0]);
        writer
            .encoder(&bert(), false)
            .unwrap()
            .set_plan(&[vec![key]])
            .unwrap();
    });
    assert!(said.contains("unfinished features of `bert`"), "{said}");
    let said = with(&|writer| {
        let layer = folder.path("other.safetensors");
        fs::write(&layer, b"other weights").unwrap();
        writer
            .encoder(&resnet(), false)
            .unwrap()
            .set_classifier(&layer)
            .unwrap();
    });
    assert!(
        said.contains("another classification layer of `resnet`"),
        "{said}"
    );
    let writing = StoreWriter::open(&b).unwrap();
    let said = refused(&[a.clone(), b.clone()], &out);
    assert!(said.contains("another `mmfnd` is writing"), "{said}");
    drop(writing);
    merge(&[a, b], &out).unwrap();
}

#[test]
fn posts_that_are_linked_differently_or_lack_features_are_named() {
    let folder = Folder::new();
    let a = folder.store("a", &posts(0..20), None);
    let mut changed = posts(20..40);
    changed[3].id = "7".into();
    let b = folder.store("b", &changed, None);
    let out = folder.path("merged");
    let said = refused(&[a.clone(), b], &out);
    assert!(said.contains("links post `7` to other contents"), "{said}");

    let shards = folder.shards(&posts(0..50), 3);
    fs::remove_dir_all(&shards[1]).unwrap();
    let fewer = folder.store("fewer", &posts(0..10), Some("2/3"));
    let said = refused(&[shards[0].clone(), fewer, shards[2].clone()], &out);
    assert!(said.contains("no features of `bert` for post"), "{said}");
}

#[test]
fn damage_in_a_store_is_not_merged() {
    let folder = Folder::new();
    let stores = [
        folder.store("a", &posts(0..20), None),
        folder.store("b", &posts(20..40), None),
    ];
    let part = fs::read_dir(stores[1].join("encoders/bert")).unwrap();
    let mut part = part.map(|entry| entry.unwrap().path());
    let part = part
        .find(|path| path.extension().is_some_and(|e| e == "parquet"))
        .unwrap();
    let mut bytes = fs::read(&part).unwrap();
    bytes[100] ^= 1;
    fs::write(&part, bytes).unwrap();
    let said = refused(&stores, &folder.path("merged"));
    assert!(
        said.contains(part.to_str().unwrap()) && said.contains("damaged"),
        "{said}"
    );
}

#[test]
fn a_place_that_is_taken_is_left_alone() {
    let folder = Folder::new();
    let stores = [
        folder.store("a", &posts(0..20), None),
        folder.store("b", &posts(20..40), None),
    ];
    for out in [
        folder.path("layer.safetensors"),
        stores[1].clone(),
        stores[0].clone(),
    ] {
        let said = merge(&stores, &out).unwrap_err().to_string();
        assert!(said.contains("name a new folder"), "{said}");
    }
    assert_eq!(verify(&stores[0]).unwrap().problems, []);
    let empty = folder.path("empty");
    fs::create_dir(&empty).unwrap();
    merge(&stores, &empty).unwrap();
}

#[cfg(unix)]
mod killed {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    const FOLDER: &str = "MMFND_TEST_MERGE";
    const KILLS: u64 = 60;

    fn merging(folder: &Folder) -> std::process::Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let test = "merge::killed::a_merge_killed_at_any_moment_leaves_nothing_or_all_of_it";
        command.args(["--exact", test]).env(FOLDER, folder.0.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    #[test]
    fn a_merge_killed_at_any_moment_leaves_nothing_or_all_of_it() {
        let inputs = |folder: PathBuf| {
            (1..=3)
                .map(|n| folder.join(format!("shard {n}")))
                .collect::<Vec<_>>()
        };
        if let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) {
            merge(&inputs(folder.clone()), &folder.join("merged")).unwrap();
            return;
        }
        let folder = Folder::new();
        let posts = posts(0..50);
        let whole = folder.store("whole", &posts, None);
        folder.shards(&posts, 3);
        let out = folder.path("merged");
        let expected = features(&whole, &posts);
        let started = Instant::now();
        assert!(merging(&folder).wait().unwrap().success());
        let duration = started.elapsed();
        let (mut kills, mut number, mut killed_whole) = (0, 0u64, 0);
        while kills < KILLS {
            if out.exists() {
                fs::remove_dir_all(&out).unwrap();
            }
            number += 1;
            let lot = mmfnd_features::Key::of(&number.to_le_bytes()).as_bytes()[0];
            let mut child = merging(&folder);
            std::thread::sleep(
                duration
                    .mul_f64(f64::from(lot) / 256.0)
                    .max(Duration::from_micros(100)),
            );
            child.kill().unwrap();
            let is_killed = !child.wait().unwrap().success();
            kills += u64::from(is_killed);
            if out.exists() {
                killed_whole += u64::from(is_killed);
                assert_eq!(verify(&out).unwrap().problems, []);
                assert_eq!(features(&out, &posts), expected, "after {kills} kills");
            } else {
                assert!(is_killed);
            }
        }
        if out.exists() {
            fs::remove_dir_all(&out).unwrap();
        }
        assert!(merging(&folder).wait().unwrap().success());
        assert_eq!(features(&out, &posts), expected);
        let left = fs::read_dir(folder.0.path()).unwrap();
        let left = left.filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .ends_with(".tmp")
        });
        assert_eq!(
            left.count(),
            0,
            "the next merge clears what a killed one left"
        );
        eprintln!("{kills} kills of {number} merges of {duration:?}, {killed_whole} after the end");
    }
}
