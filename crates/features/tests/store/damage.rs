//! Verification finds whatever was changed, and names the file.

use std::fs;
use std::path::Path;

use mmfnd_features::{Store, Verified, verify};
use sha2::{Digest, Sha256};

use crate::fixture::{Fixture, posts};

fn problems(fixture: &Fixture) -> Vec<String> {
    let Verified { problems, .. } = verify(&fixture.path).unwrap();
    problems
        .iter()
        .map(|problem| format!("{} {}", problem.file.display(), problem.problem))
        .collect()
}

fn assert_named(fixture: &Fixture, file: &Path, what: &str) {
    let problems = problems(fixture);
    let file = file.to_str().unwrap();
    assert!(
        problems.iter().any(|problem| problem.contains(file)),
        "{what} of {file}: {problems:?}"
    );
}

#[test]
fn a_sound_store_has_no_problems() {
    let fixture = Fixture::filled();
    let verified = fixture.store().verify().unwrap();
    assert_eq!(verified.problems, []);
    assert_eq!(verified.files, fixture.files().len());
    let bytes: u64 = fixture
        .files()
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert_eq!(verified.bytes, bytes);
    assert!(
        verified.notes[0].contains("`resnet` is unfinished"),
        "{:?}",
        verified.notes
    );
}

#[test]
fn every_flipped_bit_of_every_file_is_found() {
    let fixture = Fixture::filled();
    // Lock, catalog, rejects, links, two encoders with four parts, a classifier, a plan.
    assert_eq!(fixture.files().len(), 12);
    for file in fixture.files() {
        let good = fs::read(&file).unwrap();
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1 << (index % 8);
            fs::write(&file, &bad).unwrap();
            assert_named(&fixture, &file, &format!("byte {index}"));
        }
        fs::write(&file, &good).unwrap();
    }
    assert!(problems(&fixture).is_empty());
}

#[test]
fn cut_and_extended_files_are_found() {
    let fixture = Fixture::filled();
    for file in fixture.files() {
        let good = fs::read(&file).unwrap();
        let mut longer = good.clone();
        longer.push(b'\n');
        fs::write(&file, &longer).unwrap();
        assert_named(&fixture, &file, "one byte more");
        if !good.is_empty() {
            for length in [0, good.len() / 2, good.len() - 1] {
                fs::write(&file, &good[..length]).unwrap();
                assert_named(&fixture, &file, &format!("the first {length} bytes"));
            }
        }
        fs::write(&file, &good).unwrap();
    }
}

#[test]
fn a_deleted_file_is_missed() {
    let fixture = Fixture::filled();
    for file in fixture.files() {
        let name = file.file_name().unwrap().to_str().unwrap();
        // The lock and the plan come and go; without the catalog there is no store.
        if ["lock", "plan", "store.json"].contains(&name) {
            continue;
        }
        let good = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let problems = problems(&fixture);
        let folder = file.parent().unwrap().to_str().unwrap();
        assert!(
            problems.iter().any(|problem| problem.contains(folder)),
            "{name}: {problems:?}"
        );
        fs::write(&file, good).unwrap();
    }
    fs::remove_dir_all(fixture.path.join("encoders/bert")).unwrap();
    assert_named(&fixture, Path::new("encoders/bert"), "deletion");
    fs::remove_dir_all(fixture.path.join("posts")).unwrap();
    assert_named(&fixture, Path::new("posts"), "deletion");
}

#[test]
fn files_that_do_not_belong_are_named() {
    for place in [
        "x.txt",
        "posts/x.parquet",
        "encoders/x",
        "encoders/bert/1-2.parquet",
        "encoders/bert/Plan",
    ] {
        let fixture = Fixture::filled();
        let file = fixture.path.join(place);
        fs::write(&file, b"x").unwrap();
        assert_named(&fixture, &file, "presence");
    }
}

#[test]
fn a_damaged_part_is_not_loaded() {
    let fixture = Fixture::filled();
    let part = &fixture.parts("encoders/bert")[1];
    let mut bytes = fs::read(part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(part, bytes).unwrap();
    let error = fixture.load(&posts(), &["bert"]).unwrap_err().to_string();
    assert!(
        error.contains(part.to_str().unwrap()) && error.contains("--replace bert"),
        "{error}"
    );
    fixture.load(&posts(), &["resnet"]).unwrap();
}

#[test]
fn a_damaged_part_is_refused_wherever_the_damage_is() {
    let fixture = Fixture::filled();
    let part = &fixture.parts("encoders/bert")[0];
    let good = fs::read(part).unwrap();
    for index in (0..good.len()).step_by(3) {
        let mut bad = good.clone();
        bad[index] ^= 1 << (index % 8);
        fs::write(part, &bad).unwrap();
        let error = fixture.load(&posts(), &["bert"]).unwrap_err().to_string();
        assert!(
            error.contains("is damaged") && error.contains("--replace bert"),
            "byte {index}: {error}"
        );
        // Whether it can still be opened does not matter, that it does not panic does.
        let _ = fixture.writer().encoder(&crate::fixture::bert(), false);
        let _ = fixture.store().inspect();
    }
}

#[test]
fn a_damaged_classifier_or_link_is_not_used() {
    let fixture = Fixture::filled();
    fs::write(
        fixture.path.join("encoders/resnet/classifier.safetensors"),
        b"Weights",
    )
    .unwrap();
    let error = fixture.load(&posts(), &["resnet"]).unwrap_err().to_string();
    assert!(
        error.contains("classifier.safetensors") && error.contains("mmfnd encode"),
        "{error}"
    );
    fs::write(&fixture.parts("posts")[0], b"x").unwrap();
    let error = fixture.load(&posts(), &["bert"]).unwrap_err().to_string();
    assert!(
        error.contains("posts") && error.contains("delete the folder"),
        "{error}"
    );
}

#[test]
fn deleted_links_are_written_anew() {
    let fixture = Fixture::filled();
    fs::remove_dir_all(fixture.path.join("posts")).unwrap();
    assert!(Store::open(&fixture.path).is_err());
    let mut writer = fixture.writer();
    assert!(writer.links().unwrap().is_empty());
    writer
        .write_links(&posts().iter().map(crate::fixture::link).collect::<Vec<_>>())
        .unwrap();
    fixture.load(&posts(), &["bert", "resnet"]).unwrap();
    assert!(problems(&fixture).is_empty());
}

/// A part with an infinity in it, under the name that such a part would have.
#[test]
fn numbers_that_are_none_are_named_with_post_encoder_and_key() {
    let fixture = Fixture::filled();
    let part = &fixture.parts("encoders/bert")[0];
    let mut bytes = fs::read(part).unwrap();
    let key = crate::fixture::text_key(&posts()[0]);
    let head = half::f16::from_f32(f32::from(key.as_bytes()[0])).to_le_bytes();
    let next = half::f16::from_f32(f32::from(key.as_bytes()[0]) + 0.125).to_le_bytes();
    let row = [head, next].concat();
    let start = bytes.windows(4).position(|window| window == row).unwrap();
    bytes[start + 2..start + 4].copy_from_slice(&half::f16::INFINITY.to_le_bytes());
    let hash: String = Sha256::digest(&bytes)[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    fs::remove_file(part).unwrap();
    fs::write(part.with_file_name(format!("000000-{hash}.parquet")), bytes).unwrap();
    let error = fixture.load(&posts(), &["bert"]).unwrap_err().to_string();
    for expected in [
        &format!("post `{}` (row 1 of the posts)", posts()[0].id),
        "`bert`",
        &key.to_string(),
        "value 1",
        "inf is no number",
        &hash,
        "--replace bert",
    ] {
        assert!(error.contains(expected), "no {expected} in {error}");
    }
    let out = fixture.path.with_file_name("out.parquet");
    let error = fixture
        .store()
        .export(&posts(), None, &out)
        .unwrap_err()
        .to_string();
    assert!(error.contains("is no number") && !out.exists(), "{error}");
}
