//! Real processes that are killed at random moments. The test starts itself again as the process that is to die.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mmfnd_features::{Key, StoreWriter, verify};
use mmfnd_posts::{read_posts, write_posts};
use tempfile::tempdir;

use super::fakes::{ALL, Fakes, rows, run};
use super::resume::posts;

/// Names the store in the environment of the process that is to die; the posts lie beside it.
const STORE: &str = "MMFND_TEST_KILLED_STORE";
const POSTS: &str = "posts.parquet";
const KILLS: u64 = 200;

fn encoding(store: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let test =
        "tests::kill::a_run_killed_at_200_random_moments_ends_with_the_store_of_an_undisturbed_one";
    command.args(["--exact", test]).env(STORE, store);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// A number in 0..1 that is the same in every run of the test.
fn lot(number: u64) -> f64 {
    let bytes = *Key::of(&number.to_le_bytes()).as_bytes();
    f64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])) / f64::from(u32::MAX)
}

/// What the store says of its posts, and what it holds of them.
fn contents(store: &Path, posts: &Path) -> (mmfnd_features::Links, String, Vec<Vec<Vec<f32>>>) {
    let links = StoreWriter::open(store).unwrap().links().unwrap();
    let rejects = std::fs::read_to_string(store.join("rejects.csv")).unwrap();
    (
        links,
        rejects,
        rows(store, &read_posts(posts).unwrap(), &ALL),
    )
}

#[test]
fn a_run_killed_at_200_random_moments_ends_with_the_store_of_an_undisturbed_one() {
    if let Some(store) = std::env::var_os(STORE).map(PathBuf::from) {
        let posts = read_posts(&store.with_file_name(POSTS)).unwrap();
        run(&posts, &Fakes::new(), &store).unwrap();
        return;
    }
    let folder = tempdir().unwrap();
    let file = folder.path().join(POSTS);
    write_posts(&file, &posts(folder.path())).unwrap();
    let whole = folder.path().join("whole");
    let started = Instant::now();
    assert!(encoding(&whole).wait().unwrap().success());
    let whole_run = started.elapsed();
    let expected = contents(&whole, &file);

    let (mut kills, mut finished, mut number) = (0, 0, 0);
    let mut store = folder.path().join("store 0");
    while kills < KILLS {
        number += 1;
        let mut child = encoding(&store);
        let moment = whole_run.mul_f64(lot(number));
        let has_ended = wait_until(&mut child, Instant::now() + moment);
        if !has_ended {
            child.kill().unwrap();
        }
        if child.wait().unwrap().success() {
            assert!(contents(&store, &file) == expected, "after {kills} kills");
            finished += 1;
            store = folder.path().join(format!("store {finished}"));
            continue;
        }
        assert!(!has_ended, "a run that nobody killed failed");
        kills += 1;
        if store.join("store.json").exists() {
            assert_eq!(verify(&store).unwrap().problems, [], "kill number {kills}");
        }
    }
    assert!(encoding(&store).wait().unwrap().success());
    assert!(contents(&store, &file) == expected, "after the last kill");
    eprintln!(
        "{kills} kills, {} stores completed, a whole run takes {whole_run:?}",
        finished + 1
    );
}

/// Whether the process ended by itself before that moment.
fn wait_until(child: &mut Child, moment: Instant) -> bool {
    while Instant::now() < moment {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    false
}
