//! Small parts that become large ones when an encoder is finished: the same rows, at whatever moment a kill comes.

use std::fs;
use std::path::{Path, PathBuf};

use mmfnd_features::{EncoderSpec, Key, Store, ValueType, verify};

use crate::fixture::{Fixture, bert, link, post, row, rows, text_key};

const POSTS: usize = 30;

fn numbered(number: usize) -> mmfnd_posts::Post {
    post(&number.to_string(), &format!("text {number}"), None)
}

/// A store with a part for each post, the later half made by another provider; a key stands twice.
fn with_small_parts() -> Fixture {
    let fixture = Fixture::new();
    let links: Vec<_> = (0..POSTS).map(|number| link(&numbered(number))).collect();
    fixture.writer().write_links(&links).unwrap();
    for number in 0..POSTS {
        let provider = if number < POSTS / 2 { "cpu" } else { "cuda" };
        let spec = EncoderSpec {
            provider: provider.into(),
            ..bert()
        };
        let key = text_key(&numbered(number));
        fixture.append(&spec, &[key]);
    }
    let key = text_key(&numbered(3));
    let mut writer = fixture.writer();
    let mut encoder = writer.encoder(&bert(), false).unwrap();
    encoder
        .append(&[key, Key::of(b"of no post")], &[7.0; 12])
        .unwrap();
    drop((encoder, writer));
    fixture
}

fn finish(fixture: &Fixture) {
    let mut writer = fixture.writer();
    writer
        .encoder(&bert(), false)
        .unwrap()
        .clear_plan()
        .unwrap();
}

fn assert_same_rows(fixture: &Fixture) {
    assert_eq!(verify(&fixture.path).unwrap().problems, []);
    let posts: Vec<_> = (0..POSTS).map(numbered).collect();
    let features = fixture.load(&posts, &["bert"]).unwrap();
    for (index, post) in posts.iter().enumerate() {
        let expected = rows(bert(), &[text_key(post)]);
        assert_eq!(row(&features, "bert", index), Some(expected));
    }
    let report = fixture.store().inspect().unwrap();
    assert_eq!(
        (report.encoders[0].rows, report.encoders[0].missing),
        (POSTS + 1, 0)
    );
}

#[test]
fn a_finished_encoder_has_few_parts_with_the_same_rows() {
    let fixture = with_small_parts();
    finish(&fixture);
    assert_same_rows(&fixture);
    let report = &fixture.store().inspect().unwrap().encoders[0];
    // By provider: cpu, cuda, and cpu again.
    assert_eq!(report.parts, 3);
    assert_eq!(report.made_by["cpu f32"], 2);
    assert_eq!(report.made_by["cuda f32"], 1);
    let parts = fixture.parts("encoders/bert");
    finish(&fixture);
    assert_eq!(
        fixture.parts("encoders/bert"),
        parts,
        "there is nothing left to join"
    );
    fixture.append(&bert(), &[Key::of(b"newer")]);
    assert_eq!(fixture.parts("encoders/bert").len(), 4);
    assert_eq!(verify(&fixture.path).unwrap().problems, []);
}

#[test]
fn values_of_32_bits_are_joined_bit_for_bit() {
    let fixture = Fixture::new();
    let spec = EncoderSpec {
        value_type: ValueType::F32,
        ..bert()
    };
    let odd = |number: usize| vec![1.0 + number as f32 * f32::EPSILON; spec.width()];
    let posts: Vec<_> = (0..POSTS).map(numbered).collect();
    let links: Vec<_> = posts.iter().map(link).collect();
    let mut writer = fixture.writer();
    writer.write_links(&links).unwrap();
    let mut encoder = writer.encoder(&spec, false).unwrap();
    for (number, post) in posts.iter().enumerate() {
        encoder.append(&[text_key(post)], &odd(number)).unwrap();
    }
    encoder.clear_plan().unwrap();
    drop((encoder, writer));
    assert_eq!(fixture.parts("encoders/bert").len(), 1);
    let features = fixture.load(&posts, &["bert"]).unwrap();
    for number in 0..POSTS {
        assert_eq!(row(&features, "bert", number), Some(odd(number)));
    }
}

/// Files of the encoder with their content.
fn files(fixture: &Fixture) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fixture.path.join("encoders/bert");
    let files = fixture
        .files()
        .into_iter()
        .filter(|file| file.starts_with(&folder));
    files
        .map(|file| (file.clone(), fs::read(file).unwrap()))
        .collect()
}

fn is_part(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "parquet")
}

/// The encoder's files are these and no others.
fn put(fixture: &Fixture, wanted: &[&(PathBuf, Vec<u8>)]) {
    let folder = fixture.path.join("encoders/bert");
    fs::remove_dir_all(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    wanted
        .iter()
        .for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
}

#[test]
fn a_kill_at_any_step_leaves_every_row_and_the_next_run_goes_on() {
    let fixture = with_small_parts();
    let before = files(&fixture);
    finish(&fixture);
    let after = files(&fixture);
    let parts = |files: &[(PathBuf, Vec<u8>)]| -> usize {
        files.iter().filter(|(path, _)| is_part(path)).count()
    };
    let new: Vec<_> = after.iter().filter(|(path, _)| is_part(path)).collect();
    for written in 0..=new.len() {
        // Killed while new parts were written: what says that they count is not there yet.
        let left: Vec<_> = before
            .iter()
            .chain(new[..written].iter().copied())
            .collect();
        put(&fixture, &left);
        assert_same_rows(&fixture);
        finish(&fixture);
        assert_same_rows(&fixture);
        assert!(parts(&files(&fixture)) <= 3);
    }
    for removed in 0..=parts(&before) {
        // Killed while old parts were removed.
        let old = before
            .iter()
            .filter(|(path, _)| is_part(path))
            .skip(removed);
        let left: Vec<_> = after.iter().chain(old).collect();
        put(&fixture, &left);
        assert_same_rows(&fixture);
        let notes = verify(&fixture.path).unwrap().notes;
        assert_eq!(notes.len(), parts(&before) - removed, "{notes:?}");
    }
    put(&fixture, &before.iter().chain(new).collect::<Vec<_>>());
    finish(&fixture);
    drop(Store::open(&fixture.path).unwrap());
    assert_same_rows(&fixture);
    assert_eq!(verify(&fixture.path).unwrap().notes, [""; 0]);
}
