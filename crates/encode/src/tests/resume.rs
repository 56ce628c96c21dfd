//! A run that was cut short and then repeated leaves the store of an undisturbed run, value for value.

use std::path::Path;

use mmfnd_posts::Post;
use tempfile::tempdir;

use super::fakes::{ALL, Fakes, picture, post, rows, run};

/// Enough for several batches of each kind; some pictures only turn out to be corrupt when they are decoded.
pub(super) fn posts(folder: &Path) -> Vec<Post> {
    let corrupt = folder.join("corrupt.png");
    let good = std::fs::read(picture(folder, 200)).unwrap();
    std::fs::write(&corrupt, &good[..good.len() - 20]).unwrap();
    let word = |i: usize| "abcdefghijklmnopqrstuvwxyz"[..1 + i * 7 % 26].to_owned();
    (0..60)
        .map(|i| {
            let text = format!("{} {}", word(i), word(i + 1)).repeat(1 + i % 3);
            let own = picture(folder, i as u8);
            match i % 4 {
                0 => post(&i.to_string(), &text, &[&corrupt, &own]),
                _ => post(&i.to_string(), &text, &[&own]),
            }
        })
        .collect()
}

#[test]
fn a_run_that_continues_repeats_the_batches_of_the_interrupted_one() {
    let folder = tempdir().unwrap();
    let posts = posts(folder.path());
    let whole = folder.path().join("whole");
    let fakes = Fakes::new();
    run(&posts, &fakes, &whole).unwrap();
    let batches = fakes.batches.lock().unwrap().len();
    assert!(batches >= 12, "{batches} batches are too few for this test");
    let expected = rows(&whole, &posts, &ALL);

    for lives in 0..batches {
        let store = folder.path().join(format!("killed after {lives}"));
        let mut mortal = Fakes::new();
        mortal.lives = Some(lives);
        run(&posts, &mortal, &store).unwrap_err();
        let survivor = Fakes::new();
        run(&posts, &survivor, &store).unwrap();
        let again = lives + survivor.batches.lock().unwrap().len();
        assert_eq!(again, batches, "finished batches are not run again");
        assert!(
            rows(&store, &posts, &ALL) == expected,
            "killed after {lives} batches"
        );
    }
}

#[test]
fn batches_that_overtake_one_another_change_nothing() {
    let folder = tempdir().unwrap();
    let posts = posts(folder.path());
    let (one, many) = (folder.path().join("one"), folder.path().join("many"));
    let alone = Fakes::new();
    run(&posts, &alone, &one).unwrap();
    let mut crowd = Fakes::new();
    crowd.handles = 3;
    let mut mortal = Fakes::new();
    (mortal.handles, mortal.lives) = (3, Some(5));
    run(&posts, &mortal, &many).unwrap_err();
    run(&posts, &crowd, &many).unwrap();
    assert!(rows(&many, &posts, &ALL) == rows(&one, &posts, &ALL));
}

#[test]
fn several_interruptions_are_no_worse_than_one() {
    let folder = tempdir().unwrap();
    let posts = posts(folder.path());
    let (whole, store) = (folder.path().join("whole"), folder.path().join("store"));
    run(&posts, &Fakes::new(), &whole).unwrap();
    let mut runs = 0;
    loop {
        let mut mortal = Fakes::new();
        mortal.lives = Some(2);
        runs += 1;
        if run(&posts, &mortal, &store).is_ok() {
            break;
        }
    }
    assert!(runs > 5);
    assert!(rows(&store, &posts, &ALL) == rows(&whole, &posts, &ALL));
}

#[test]
fn the_fakes_would_notice_other_batches() {
    let folder = tempdir().unwrap();
    let posts = posts(folder.path());
    let (whole, store) = (folder.path().join("whole"), folder.path().join("store"));
    run(&posts, &Fakes::new(), &whole).unwrap();
    run(&posts[..7], &Fakes::new(), &store).unwrap();
    run(&posts, &Fakes::new(), &store).unwrap();
    assert!(rows(&store, &posts, &ALL) != rows(&whole, &posts, &ALL));
}

#[test]
fn no_plan_is_left_behind() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    run(&posts(folder.path()), &Fakes::new(), &store).unwrap();
    for name in ALL {
        assert!(
            !store.join("encoders").join(name).join("plan").exists(),
            "{name}"
        );
    }
}
