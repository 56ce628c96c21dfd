//! A kill at any step leaves a store that can be read, verified and completed, and one writer at a time gets at it.

use std::fs;

use mmfnd_features::{StoreWriter, verify};

use crate::fixture::{Fixture, bert, link, picture_key, posts, resnet, rows, text_key};

fn assert_sound(fixture: &Fixture) {
    let verified = verify(&fixture.path).unwrap();
    assert_eq!(verified.problems, [], "{:?}", fixture.files());
}

#[test]
fn a_store_that_was_being_made_is_made() {
    for left in [&[][..], &["lock"], &["lock", ".store.json.12-0.tmp"]] {
        let fixture = Fixture::new();
        fs::create_dir(&fixture.path).unwrap();
        for name in left {
            fs::write(fixture.path.join(name), b"").unwrap();
        }
        drop(fixture.writer());
        assert_sound(&fixture);
        assert!(
            fixture
                .files()
                .iter()
                .all(|file| !file.ends_with(".store.json.12-0.tmp"))
        );
    }
}

#[test]
fn a_folder_with_other_files_is_left_alone() {
    let fixture = Fixture::new();
    fs::create_dir(&fixture.path).unwrap();
    fs::write(fixture.path.join("thesis.tex"), b"x").unwrap();
    let error = StoreWriter::open(&fixture.path).unwrap_err().to_string();
    assert!(
        error.contains("is no feature store") && error.contains("new one"),
        "{error}"
    );
    assert_eq!(fixture.files().len(), 1);
    let file = fixture.path.join("thesis.tex");
    let error = StoreWriter::open(&file).unwrap_err().to_string();
    assert!(
        error.contains("thesis.tex") && error.contains("it is a file"),
        "{error}"
    );
}

#[test]
fn half_written_files_are_noted_and_removed_by_the_next_writer() {
    let fixture = Fixture::filled();
    let places = ["", "posts", "encoders/bert"];
    let left: Vec<_> = places
        .iter()
        .map(|place| fixture.path.join(place).join(".000007-ab.parquet.9-1.tmp"))
        .collect();
    left.iter()
        .for_each(|file| fs::write(file, b"PAR1 half").unwrap());
    let dropped = fixture.path.join("encoders/.clip.dropped.tmp");
    fs::create_dir(&dropped).unwrap();
    fs::write(dropped.join("encoder.json"), b"{}").unwrap();

    let verified = verify(&fixture.path).unwrap();
    assert_eq!(verified.problems, []);
    assert_eq!(
        verified
            .notes
            .iter()
            .filter(|note| note.contains("half-written"))
            .count(),
        4
    );
    fixture.load(&posts(), &["bert", "resnet"]).unwrap();
    drop(fixture.writer());
    assert!(left.iter().chain([&dropped]).all(|path| !path.exists()));
    assert!(
        verify(&fixture.path)
            .unwrap()
            .notes
            .iter()
            .all(|note| !note.contains("half-written"))
    );
}

/// Puts a file back as it was before the last step of a write, as if the kill had come in between.
fn undo(file: &std::path::Path, step: impl FnOnce()) {
    let before = fs::read(file).unwrap();
    step();
    fs::write(file, before).unwrap();
}

#[test]
fn a_part_that_was_not_counted_yet_is_taken() {
    let fixture = Fixture::filled();
    let key = mmfnd_features::Key::of(b"new");
    undo(&fixture.path.join("encoders/bert/encoder.json"), || {
        fixture.append(&bert(), &[key])
    });
    assert_sound(&fixture);
    let mut writer = fixture.writer();
    assert!(
        writer
            .encoder(&bert(), false)
            .unwrap()
            .present()
            .contains(&key)
    );
    drop(writer);
    fixture.append(&bert(), &[mmfnd_features::Key::of(b"newer")]);
    assert_eq!(fixture.parts("encoders/bert").len(), 5);
    assert_sound(&fixture);
}

#[test]
fn links_that_were_not_counted_yet_are_taken() {
    let fixture = Fixture::filled();
    let mut changed = posts()[0].clone();
    changed.text = "nothing to see".into();
    undo(&fixture.path.join("store.json"), || {
        fixture.writer().write_links(&[link(&changed)]).unwrap();
    });
    assert_sound(&fixture);
    assert!(fixture.writer().links().unwrap().has(&link(&changed)));
}

#[test]
fn an_encoder_that_was_not_entered_yet_is_taken() {
    let fixture = Fixture::new();
    drop(fixture.writer());
    undo(&fixture.path.join("store.json"), || {
        fixture.writer().encoder(&bert(), false).unwrap();
    });
    assert_sound(&fixture);
    assert_eq!(fixture.store().encoders(), [bert()]);
    drop(fixture.writer());
    fs::remove_dir_all(fixture.path.join("encoders/bert")).unwrap();
    assert!(
        !verify(&fixture.path).unwrap().problems.is_empty(),
        "the writer entered it"
    );
}

#[test]
fn an_encoder_whose_folder_was_deleted_is_entered_once_when_it_is_made_anew() {
    let fixture = Fixture::new();
    fixture.writer().encoder(&bert(), false).unwrap();
    fs::remove_dir_all(fixture.path.join("encoders/bert")).unwrap();
    fixture.writer().encoder(&bert(), false).unwrap();
    assert_sound(&fixture);
    assert_eq!(fixture.store().encoders(), [bert()]);
}

#[test]
fn the_same_classifier_again_changes_nothing_and_another_replaces_it() {
    let fixture = Fixture::filled();
    let before = fs::read(fixture.path.join("encoders/resnet/encoder.json")).unwrap();
    let new = fixture.path.with_file_name("layer.safetensors");
    let mut writer = fixture.writer();
    let mut encoder = writer.encoder(&resnet(), false).unwrap();
    encoder.set_classifier(&new).unwrap();
    assert_eq!(
        fs::read(fixture.path.join("encoders/resnet/encoder.json")).unwrap(),
        before
    );
    fs::write(&new, b"other weights").unwrap();
    encoder.set_classifier(&new).unwrap();
    assert_sound(&fixture);
    let features = fixture.load(&posts(), &["resnet"]).unwrap();
    let file = features.classifiers[0].as_ref().unwrap();
    assert_eq!(fs::read(file).unwrap(), b"other weights");
}

#[test]
fn a_plan_outlives_its_writer_until_it_is_cleared() {
    let fixture = Fixture::filled();
    let mut writer = fixture.writer();
    let mut resnet = writer.encoder(&resnet(), false).unwrap();
    let plan = resnet.plan().unwrap();
    assert_eq!(plan, [[picture_key("a.png")], [picture_key("b.png")]]);
    assert!(resnet.present().contains(&plan[0][0]) && !resnet.present().contains(&plan[1][0]));
    let values = rows(resnet.spec().clone(), &plan[1]);
    resnet.append(&plan[1], &values).unwrap();
    resnet.clear_plan().unwrap();
    assert!(resnet.plan().unwrap().is_empty());
    drop((resnet, writer));
    assert_eq!(verify(&fixture.path).unwrap().notes, [""; 0]);
}

#[test]
fn a_plan_without_any_part_is_kept() {
    let fixture = Fixture::new();
    let keys = vec![text_key(&posts()[0])];
    let plan = std::slice::from_ref(&keys);
    fixture
        .writer()
        .encoder(&bert(), false)
        .unwrap()
        .set_plan(plan)
        .unwrap();
    assert_eq!(
        fixture
            .writer()
            .encoder(&bert(), false)
            .unwrap()
            .plan()
            .unwrap(),
        plan
    );
    assert_sound(&fixture);
}

#[test]
fn a_second_writer_is_refused_and_readers_are_not() {
    let fixture = Fixture::filled();
    let mut first = fixture.writer();
    let error = StoreWriter::open(&fixture.path).unwrap_err().to_string();
    assert!(
        error.contains(fixture.path.to_str().unwrap()) && error.contains("wait"),
        "{error}"
    );
    fixture.load(&posts(), &["bert"]).unwrap();
    let encoder = first.encoder(&bert(), false).unwrap();
    drop(first);
    StoreWriter::open(&fixture.path).unwrap_err();
    drop(encoder);
    StoreWriter::open(&fixture.path).unwrap();
}

#[cfg(unix)]
#[test]
fn a_failed_write_names_the_file_and_changes_nothing() {
    let fixture = Fixture::filled();
    let before: Vec<_> = fixture
        .files()
        .iter()
        .map(|file| (file.clone(), fs::read(file).unwrap()))
        .collect();
    let mut writer = fixture.writer();
    let mut encoder = writer.encoder(&bert(), false).unwrap();
    // A folder in the way of `encoder.json` fails the second of the two steps of an append, also for root.
    let file = fixture.path.join("encoders/bert/encoder.json");
    let text = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let error = encoder
        .append(&[picture_key("x")], &[0.0; 6])
        .unwrap_err()
        .to_string();
    assert!(error.contains("encoder.json"), "{error}");
    assert_eq!(encoder.present().len(), 3);
    fs::remove_dir(&file).unwrap();
    fs::write(&file, text).unwrap();
    let after: Vec<_> = fixture
        .files()
        .iter()
        .map(|file| (file.clone(), fs::read(file).unwrap()))
        .collect();
    assert_eq!(before, after);
    encoder.append(&[picture_key("x")], &[0.0; 6]).unwrap();
    assert_sound(&fixture);
}
