//! Real processes: writers that are killed, and writers whose disk is full. A test starts itself again as the process
//! that is to fail.
#![cfg(unix)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mmfnd_features::{Error, Features, Key, Store, StoreWriter, TableReader, merge, verify};

use crate::fixture::{Fixture, bert, link, post, posts, row, rows, text_key};

/// Names the store in the environment of the process that is to fail.
const STORE: &str = "MMFND_TEST_STORE";

/// The store, if this is that process.
fn child_store() -> Option<PathBuf> {
    std::env::var_os(STORE).map(PathBuf::from)
}

/// This test program, about to run one test as the process that is to fail, after a line of shell.
fn child(fixture: &Fixture, shell: &str, test: &str) -> Command {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("{shell} exec \"$0\" --exact --nocapture \"$1\""),
    ]);
    command.arg(std::env::current_exe().unwrap()).arg(test);
    command
        .env(STORE, &fixture.path)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// How many files of links there are by now; the writer goes on meanwhile.
fn files_of_links(fixture: &Fixture) -> usize {
    let entries = fs::read_dir(fixture.path.join("posts"));
    entries.map_or(0, Iterator::count)
}

fn numbered(number: usize) -> mmfnd_posts::Post {
    post(&number.to_string(), &format!("text {number}"), None)
}

/// Adds posts without end, a link, a plan and a part each, as far as they are not there.
fn write_without_end(store: &std::path::Path) {
    let mut writer = StoreWriter::open(store).unwrap();
    let mut encoder = writer.encoder(&bert(), false).unwrap();
    for number in 0.. {
        let post = numbered(number);
        let key = text_key(&post);
        if !writer.links().unwrap().knows(&post.id) {
            writer.write_links(&[link(&post)]).unwrap();
        }
        if !encoder.present().contains(&key) {
            encoder.set_plan(&[vec![key]]).unwrap();
            encoder.append(&[key], &rows(bert(), &[key])).unwrap();
            encoder.clear_plan().unwrap();
        }
    }
}

#[test]
fn a_writer_killed_at_any_moment_leaves_a_store_that_the_next_completes() {
    if let Some(store) = child_store() {
        return write_without_end(&store);
    }
    let fixture = Fixture::new();
    let test = "process::a_writer_killed_at_any_moment_leaves_a_store_that_the_next_completes";
    for round in 0..12 {
        let mut child = child(&fixture, "", test).spawn().unwrap();
        let enough = round * 3;
        let start = Instant::now();
        while fixture.path.join("store.json").exists() && files_of_links(&fixture) < enough
            || start.elapsed() < Duration::from_millis(20 + 7 * round as u64)
        {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the writer goes on until it is killed"
            );
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if fixture.path.join("store.json").exists() {
            assert_eq!(verify(&fixture.path).unwrap().problems, [], "round {round}");
        }
    }
    let mut writer = fixture.writer();
    let mut encoder = writer.encoder(&bert(), false).unwrap();
    let linked = writer.links().unwrap().len();
    assert!(linked > 1, "the writers got somewhere");
    let posts: Vec<_> = (0..linked).map(numbered).collect();
    let keys: Vec<_> = posts.iter().map(text_key).collect();
    let missing: Vec<_> = keys
        .iter()
        .copied()
        .filter(|key| !encoder.present().contains(key))
        .collect();
    assert!(missing.len() <= 1, "only the last post can lack its row");
    encoder.append(&missing, &rows(bert(), &missing)).unwrap();
    encoder.clear_plan().unwrap();
    drop((encoder, writer));
    let features = fixture.load(&posts, &["bert"]).unwrap();
    for (index, key) in keys.iter().enumerate() {
        assert_eq!(row(&features, "bert", index), Some(rows(bert(), &[*key])));
    }
    assert_eq!(verify(&fixture.path).unwrap().problems, []);
}

/// Names the writer among several that run at once.
const WRITER: &str = "MMFND_TEST_WRITER";
const WRITERS: usize = 4;
const POSTS_EACH: usize = 12;

/// Adds its posts, each when no other process writes; every post has a link and a row of its own.
fn write_in_turn(store: &std::path::Path, writer: usize) {
    for number in (0..POSTS_EACH).map(|number| writer * POSTS_EACH + number) {
        let post = numbered(number);
        let key = text_key(&post);
        let mut store = loop {
            match StoreWriter::open(store) {
                Ok(store) => break store,
                Err(Error::Locked { .. }) => std::thread::yield_now(),
                Err(other) => panic!("{other}"),
            }
        };
        let mut encoder = store.encoder(&bert(), false).unwrap();
        encoder.append(&[key], &rows(bert(), &[key])).unwrap();
        store.write_links(&[link(&post)]).unwrap();
    }
}

#[test]
fn processes_that_write_one_store_at_once_lose_nothing() {
    if let Some(store) = child_store() {
        let writer = std::env::var(WRITER).unwrap().parse().unwrap();
        return write_in_turn(&store, writer);
    }
    let fixture = Fixture::new();
    let test = "process::processes_that_write_one_store_at_once_lose_nothing";
    let children: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let mut child = child(&fixture, "", test);
            child.env(WRITER, writer.to_string()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    assert_eq!(verify(&fixture.path).unwrap().problems, []);
    let posts: Vec<_> = (0..WRITERS * POSTS_EACH).map(numbered).collect();
    let features = fixture.load(&posts, &["bert"]).unwrap();
    for (index, post) in posts.iter().enumerate() {
        let expected = rows(bert(), &[text_key(post)]);
        assert_eq!(row(&features, "bert", index), Some(expected));
    }
    assert_eq!(fixture.parts("encoders/bert").len(), posts.len());
}

/// A store of many parts, each with a row.
fn with_parts(count: usize) -> (Fixture, Vec<mmfnd_posts::Post>) {
    let fixture = Fixture::new();
    let posts: Vec<_> = (0..count).map(numbered).collect();
    let mut writer = fixture.writer();
    let links: Vec<_> = posts.iter().map(link).collect();
    writer.write_links(&links).unwrap();
    let mut encoder = writer.encoder(&bert(), false).unwrap();
    for key in posts.iter().map(text_key) {
        encoder.append(&[key], &rows(bert(), &[key])).unwrap();
    }
    drop((encoder, writer));
    (fixture, posts)
}

#[test]
fn a_store_of_more_parts_than_files_may_be_open_works_in_every_way() {
    const PARTS: usize = 300;
    if let Some(path) = child_store() {
        let posts: Vec<_> = (0..PARTS).map(numbered).collect();
        let store = Store::open(&path).unwrap();
        assert_eq!(store.verify().unwrap().problems, []);
        assert_eq!(store.inspect().unwrap().encoders[0].parts, PARTS);
        store
            .export(&posts, None, &path.with_file_name("out.parquet"))
            .unwrap();
        let reader = TableReader::open(&store, "bert").unwrap();
        let features = Features::load_within(&store, &posts, &["bert"], 0).unwrap();
        assert!(features.columns[0].is_on_disk());
        let again = Features::load_within(&store, &posts, &["bert"], 0).unwrap();
        for (index, post) in posts.iter().enumerate() {
            let expected = rows(bert(), &[text_key(post)]);
            assert_eq!(reader.row(index).unwrap(), expected);
            assert_eq!(row(&features, "bert", index), Some(expected.clone()));
            assert_eq!(
                row(&again, "bert", PARTS - 1 - index).unwrap().len(),
                expected.len()
            );
        }
        let merged = path.with_file_name("merged");
        let other = path.with_file_name("other");
        merge(&[path.clone(), other], &merged).unwrap();
        let mut writer = StoreWriter::open(&path).unwrap();
        writer
            .encoder(&bert(), false)
            .unwrap()
            .clear_plan()
            .unwrap();
        assert_eq!(
            Store::open(&path).unwrap().inspect().unwrap().encoders[0].parts,
            1
        );
        return;
    }
    let (fixture, _) = with_parts(PARTS);
    let other = fixture.path.with_file_name("other");
    let mut writer = StoreWriter::open(&other).unwrap();
    let last = numbered(PARTS);
    writer.write_links(&[link(&last)]).unwrap();
    let key = text_key(&last);
    let mut encoder = writer.encoder(&bert(), false).unwrap();
    encoder.append(&[key], &rows(bert(), &[key])).unwrap();
    drop((encoder, writer));
    let test = "process::a_store_of_more_parts_than_files_may_be_open_works_in_every_way";
    // More threads than files, as on a large machine.
    let shell = "ulimit -n 48; export RAYON_NUM_THREADS=64;";
    let output = child(&fixture, shell, test).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn a_full_disk_names_the_file_and_leaves_the_store_as_it_was() {
    let keys: Vec<_> = (0..2000u32).map(|n| Key::of(&n.to_le_bytes())).collect();
    if let Some(store) = child_store() {
        let mut writer = StoreWriter::open(&store).unwrap();
        let mut encoder = writer.encoder(&bert(), false).unwrap();
        let error = encoder.append(&keys, &rows(bert(), &keys)).unwrap_err();
        eprintln!("refused: {error}");
        return;
    }
    let fixture = Fixture::filled();
    let content = || -> Vec<_> {
        let files = fixture.files().into_iter();
        files.map(|file| (fs::read(&file).unwrap(), file)).collect()
    };
    let before = content();
    // No file may grow beyond a few kilobytes; that is an error of `write`, as on a full disk, once the signal is
    // ignored.
    let shell = "trap '' XFSZ; ulimit -f 16;";
    let test = "process::a_full_disk_names_the_file_and_leaves_the_store_as_it_was";
    let output = child(&fixture, shell, test).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("refused: cannot write") && said.contains("encoders/bert/000003-"),
        "{said}"
    );
    assert!(said.contains("has room"), "{said}");
    assert_eq!(before, content());
    fixture.append(&bert(), &keys);
    fixture.load(&posts(), &["bert"]).unwrap();
}
