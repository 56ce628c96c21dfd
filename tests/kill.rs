//! `mmfnd encode` killed at random moments (SIGKILL on Unix): what it leaves is a whole store, and in the end that of an undisturbed run.
//!
//! `just kill-test` kills 200 times; without `MMFND_TEST_KILLS` it is fewer, for everyday tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use mmfnd_features::{Key, verify};
use mmfnd_posts::read_posts;

use crate::encode::{arguments, values, world};
use crate::program::Mmfnd;

/// Kills where nobody says how many.
const KILLS: usize = 40;

fn kills() -> usize {
    let asked = std::env::var("MMFND_TEST_KILLS").ok();
    asked.map_or(KILLS, |number| number.parse().expect("a number of kills"))
}

fn start(posts: &Path, store: &Path) -> Child {
    let mut command = Mmfnd::new(arguments(posts, store)).command();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// A number in 0..1 that is the same in every run of the test.
fn lot(number: usize) -> f64 {
    let bytes = *Key::of(&number.to_le_bytes()).as_bytes();
    f64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])) / f64::from(u32::MAX)
}

/// Whether the process ended by itself before that moment.
fn ends_before(child: &mut Child, moment: Instant) -> bool {
    while Instant::now() < moment {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

/// Part files of a store, of features and of links.
fn parts(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .map(|path| match path.is_dir() {
            true => parts(&path),
            false => usize::from(path.extension().is_some_and(|ending| ending == "parquet")),
        })
        .sum()
}

/// An undisturbed run, and what the killed ones have to end with.
struct Whole {
    posts: PathBuf,
    store: PathBuf,
    duration: Duration,
}

impl Whole {
    fn new(folder: &Path) -> Self {
        let posts = world(folder, 160);
        let broken = &read_posts(&posts).unwrap()[7].images[0];
        fs::write(broken, b"no picture").unwrap();
        let store = folder.join("whole");
        // The first run reads everything from the disk; it is the later ones that are killed.
        Mmfnd::new(arguments(&posts, &folder.join("first"))).succeeds();
        let started = Instant::now();
        assert!(start(&posts, &store).wait().unwrap().success());
        Self {
            duration: started.elapsed(),
            posts,
            store,
        }
    }

    fn check(&self, store: &Path, after: usize) {
        let rejects = |store: &Path| fs::read_to_string(store.join("rejects.csv")).unwrap();
        assert!(rejects(&self.store).contains("not a picture"));
        assert_eq!(rejects(store), rejects(&self.store), "after {after} kills");
        let (found, expected) = (values(store, &self.posts), values(&self.store, &self.posts));
        assert!(found == expected, "after {after} kills");
        assert_eq!(verify(store).unwrap().problems, [], "after {after} kills");
    }
}

#[test]
fn a_program_killed_at_random_moments_ends_with_the_store_of_an_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Whole::new(folder.path());
    let all_parts = parts(&whole.store);
    let (mut killed, mut amid, mut finished) = (0, 0, 0);
    let mut store = folder.path().join("store 0");
    for number in 0.. {
        let mut child = start(&whole.posts, &store);
        let has_ended = killed == kills()
            || ends_before(
                &mut child,
                Instant::now() + whole.duration.mul_f64(lot(number)),
            );
        if !has_ended {
            child.kill().unwrap();
        }
        if child.wait().unwrap().success() {
            whole.check(&store, killed);
            finished += 1;
            if killed == kills() {
                break;
            }
            fs::remove_dir_all(&store).unwrap();
            store = folder.path().join(format!("store {finished}"));
            continue;
        }
        assert!(!has_ended, "a run that nobody killed failed");
        killed += 1;
        amid += usize::from((1..all_parts).contains(&parts(&store)));
        if store.join("store.json").exists() {
            assert_eq!(verify(&store).unwrap().problems, [], "kill number {killed}");
        }
    }
    assert!(
        amid > 0,
        "no run was killed between its first part and its last"
    );
    Mmfnd::new(["features", "verify", store.to_str().unwrap()]).succeeds();
    let duration = whole.duration;
    eprintln!(
        "{killed} kills, {amid} of them amid the parts, {finished} stores completed, a whole run takes {duration:?}"
    );
}
