//! Loading: each row once, each post its row, and errors that say what to do.

use std::fs;

use mmfnd_features::{Column, Features, Input, Key, Store, StoreWriter, ValueType};
use mmfnd_posts::Post;

use crate::fixture::{
    Fixture, bert, link, picture_key, post, posts, resnet, row, rows, spec, text_key,
};

fn links(fixture: &Fixture, posts: &[Post]) {
    let links: Vec<_> = posts.iter().map(link).collect();
    fixture.writer().write_links(&links).unwrap();
}

#[test]
fn posts_share_the_row_of_a_picture_and_may_have_none() {
    let fixture = Fixture::filled();
    let features = fixture.load(&posts(), &["resnet", "bert"]).unwrap();
    let resnet = features.column("resnet").unwrap();
    assert_eq!(resnet.row, [0, 0, Column::NONE]);
    assert_eq!(
        (resnet.shape.as_slice(), resnet.rows()),
        ([4].as_slice(), 1)
    );
    assert_eq!(
        features.image_key,
        [Some(picture_key("a.png")), Some(picture_key("a.png")), None]
    );
    let mut out = [7.0; 4];
    assert!(!resnet.copy_row(2, &mut out));
    assert_eq!(out, [0.0; 4]);
    for (index, post) in posts().iter().enumerate() {
        assert_eq!(
            row(&features, "bert", index),
            Some(rows(bert(), &[text_key(post)]))
        );
    }
    let classifier = features.classifiers[0].as_ref().unwrap();
    assert_eq!(fs::read(classifier).unwrap(), b"weights");
    assert_eq!(features.classifiers[1], None);
}

#[test]
fn only_the_rows_of_the_posts_are_held() {
    let fixture = Fixture::filled();
    let features = fixture.load(&posts()[1..2], &["bert"]).unwrap();
    assert_eq!(features.columns[0].rows(), 1);
    assert_eq!(
        row(&features, "bert", 0),
        Some(rows(bert(), &[text_key(&posts()[1])]))
    );
}

#[test]
fn the_index_is_a_row_number_a_post_and_encoder() {
    let fixture = Fixture::filled();
    let features = fixture.load(&posts(), &["bert", "resnet"]).unwrap();
    let index = features.columns.len() * size_of_val(&features.columns[0].row[0])
        + size_of_val(&features.image_key[0]);
    assert!(index <= 64, "{index} bytes a post");
}

#[test]
fn posts_are_added_without_touching_what_is_there() {
    let fixture = Fixture::filled();
    let before = fixture.parts("");
    let new = post("4", "a bird", Some("b.png"));
    links(&fixture, std::slice::from_ref(&new));
    fixture.append(&bert(), &[text_key(&new)]);
    fixture.append(&resnet(), &[picture_key("b.png")]);
    let after = fixture.parts("");
    assert!(before.iter().all(|part| after.contains(part)) && after.len() == before.len() + 3);
    let all: Vec<_> = posts().into_iter().chain([new]).collect();
    let features = fixture.load(&all, &["bert", "resnet"]).unwrap();
    assert_eq!(
        row(&features, "bert", 3),
        Some(rows(bert(), &[text_key(&all[3])]))
    );
    assert_eq!(
        row(&features, "resnet", 3),
        Some(rows(resnet(), &[picture_key("b.png")]))
    );
    assert!(fixture.store().verify().unwrap().problems.is_empty());
}

#[test]
fn the_newest_link_of_a_post_counts() {
    let fixture = Fixture::filled();
    let changed = post("1", "nothing to see", Some("a.png"));
    links(&fixture, std::slice::from_ref(&changed));
    let features = fixture
        .load(std::slice::from_ref(&changed), &["bert"])
        .unwrap();
    assert_eq!(
        row(&features, "bert", 0),
        Some(rows(bert(), &[text_key(&changed)]))
    );
    assert!(fixture.writer().links().unwrap().has(&link(&changed)));
    let error = fixture.load(&posts(), &["bert"]).unwrap_err().to_string();
    assert!(
        error.contains("`1` is not as it was encoded") && error.contains("mmfnd encode"),
        "{error}"
    );
}

#[test]
fn a_key_that_was_stored_twice_is_taken_where_it_stands_first() {
    let fixture = Fixture::filled();
    let key = text_key(&posts()[0]);
    let mut writer = fixture.writer();
    let mut encoder = writer.encoder(&bert(), false).unwrap();
    encoder.append(&[key, key], &[9.0; 12]).unwrap();
    assert_eq!(encoder.present().len(), 3);
    drop((writer, encoder));
    let features = fixture.load(&posts(), &["bert"]).unwrap();
    assert_eq!(features.columns[0].rows(), 3);
    assert_eq!(row(&features, "bert", 0), Some(rows(bert(), &[key])));
    assert_eq!(fixture.store().inspect().unwrap().encoders[0].rows, 3);
}

#[test]
fn an_encoder_that_is_absent_is_named_with_those_that_are_there() {
    let error = Fixture::filled()
        .load(&posts(), &["clip_text"])
        .unwrap_err()
        .to_string();
    for expected in ["`clip_text`", "`bert`, `resnet`", "mmfnd encode --posts"] {
        assert!(error.contains(expected), "no {expected} in {error}");
    }
}

#[test]
fn posts_that_are_not_linked_are_named_and_counted() {
    let fixture = Fixture::filled();
    let all: Vec<_> = posts()
        .into_iter()
        .chain([post("8", "x", None), post("9", "y", None)])
        .collect();
    let error = fixture.load(&all, &["bert"]).unwrap_err().to_string();
    for expected in ["post `8` (and 1 more) is not in", "mmfnd encode", "store"] {
        assert!(error.contains(expected), "no {expected} in {error}");
    }
}

#[test]
fn a_changed_text_matters_to_the_encoders_that_read_it() {
    let fixture = Fixture::filled();
    let mut changed = posts();
    changed[1].text = "a cow".into();
    let error = fixture.load(&changed, &["bert"]).unwrap_err().to_string();
    assert!(
        error.contains("post `2` is not as it was encoded"),
        "{error}"
    );
    fixture.load(&changed, &["resnet"]).unwrap();
}

#[test]
fn the_text_in_a_picture_counts_for_all_posts_or_for_none() {
    let fixture = Fixture::filled();
    let mut read = posts();
    read[0].ocr_text = Some("SALE".into());
    read[1].ocr_text = Some("LIVE".into());
    read[2].ocr_text = Some(String::new());
    let without = fixture.load(&read, &["bert"]).unwrap();
    let expected = rows(bert(), &[text_key(&posts()[0])]);
    assert_eq!(row(&without, "bert", 0), Some(expected), "encoded without");

    let mut writer = fixture.writer();
    let keys = [text_key(&read[0]), text_key(&read[1])];
    let mut bert_writer = writer.encoder(&bert(), false).unwrap();
    bert_writer.append(&keys, &rows(bert(), &keys)).unwrap();
    writer.write_links(&[link(&read[0])]).unwrap();
    drop((writer, bert_writer));
    let error = fixture.load(&read, &["bert"]).unwrap_err().to_string();
    assert!(
        error.contains("post `2` is without the text in its picture"),
        "{error}"
    );
    fixture.load(&read, &["resnet"]).unwrap();

    links(&fixture, &read[1..]);
    let with = fixture.load(&read, &["bert"]).unwrap();
    assert_eq!(row(&with, "bert", 0), Some(rows(bert(), &keys[..1])));
    let error = fixture.load(&posts(), &["bert"]).unwrap_err().to_string();
    assert!(
        error.contains("post `1` (and 1 more) is not as it was encoded"),
        "{error}"
    );
}

#[test]
fn an_unfinished_store_names_the_post_without_features() {
    let fixture = Fixture::filled();
    let new = post("4", "a bird", Some("b.png"));
    links(&fixture, std::slice::from_ref(&new));
    for encoder in ["bert", "resnet"] {
        let error = fixture
            .load(std::slice::from_ref(&new), &[encoder])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("post `4` is without features of `{encoder}`")),
            "{error}"
        );
    }
    let inspection = fixture.store().inspect().unwrap();
    assert!(inspection.is_unfinished());
    assert_eq!(inspection.encoders[0].missing, 1);
    assert_eq!(
        (
            inspection.encoders[1].missing,
            inspection.encoders[1].planned
        ),
        (1, 1)
    );
}

#[test]
fn a_folder_that_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    let error = Store::open(&missing).unwrap_err().to_string();
    assert!(
        error.contains("none") && error.contains("no such folder"),
        "{error}"
    );
    let error = Store::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("it has no `store.json`"), "{error}");
}

#[test]
fn an_older_format_asks_for_the_older_program_or_a_new_store() {
    let fixture = Fixture::filled();
    let file = fixture.path.join("store.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"format\": 2", "\"format\": 0")).unwrap();
    for error in [
        Store::open(&fixture.path).unwrap_err().to_string(),
        StoreWriter::open(&fixture.path).unwrap_err().to_string(),
    ] {
        assert!(
            error.contains("store.json") && error.contains("format 0"),
            "{error}"
        );
        assert!(error.contains("encode into a new store"), "{error}");
    }
}

#[test]
fn a_newer_format_asks_for_a_newer_program() {
    let fixture = Fixture::filled();
    let file = fixture.path.join("store.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"format\": 2", "\"format\": 3")).unwrap();
    let error = Store::open(&fixture.path).unwrap_err().to_string();
    assert!(
        error.contains("store.json") && error.contains("format 3") && error.contains("newer"),
        "{error}"
    );
}

#[test]
fn counts_are_those_of_the_contents() {
    let inspection = Fixture::filled().store().inspect().unwrap();
    assert_eq!(
        (
            inspection.posts,
            inspection.texts,
            inspection.texts_with_ocr
        ),
        (3, 3, 3)
    );
    assert_eq!(
        (
            inspection.pictures,
            inspection.without_picture,
            inspection.rejects
        ),
        (1, 1, 1)
    );
    let names: Vec<_> = inspection
        .encoders
        .iter()
        .map(|encoder| encoder.spec.name.as_str())
        .collect();
    assert_eq!(names, ["bert", "resnet"]);
    assert_eq!(
        (inspection.encoders[0].rows, inspection.encoders[0].parts),
        (3, 3)
    );
}

#[test]
fn the_fingerprint_is_of_the_contents() {
    let fixture = Fixture::filled();
    let before = fixture.store().fingerprint();
    assert_eq!(before, Fixture::filled().store().fingerprint());
    fixture.append(&bert(), &[Key::of(b"new")]);
    assert_ne!(before, fixture.store().fingerprint());
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    let fixture = Fixture::new();
    for name in ["../x", "", "a/b", ".new.tmp"] {
        let error = fixture
            .writer()
            .encoder(&spec(name, Input::Text, &[1], ValueType::F32), false)
            .unwrap_err();
        assert!(error.to_string().contains("letters, digits"), "{error}");
    }
    for shape in [&[][..], &[0], &[usize::MAX, 2]] {
        let error = fixture
            .writer()
            .encoder(&spec("a", Input::Text, shape, ValueType::F32), false)
            .unwrap_err();
        assert!(error.to_string().contains("shape"), "{error}");
    }
}

#[test]
fn features_beyond_the_budget_stay_on_the_disk_and_are_the_same() {
    let fixture = Fixture::new();
    let posts: Vec<Post> = (0..40)
        .map(|n| {
            let picture = format!("{}.png", n % 9);
            let picture = (n % 4 > 0).then_some(picture.as_str());
            post(&n.to_string(), &format!("text {}", n % 30), picture)
        })
        .collect();
    links(&fixture, &posts);
    let mut texts: Vec<Key> = posts.iter().map(text_key).collect();
    texts.sort();
    texts.dedup();
    for some in texts.chunks(7) {
        fixture.append(&bert(), some);
    }
    let pictures: Vec<Key> = (0..9).map(|n| picture_key(&format!("{n}.png"))).collect();
    fixture.append(&resnet(), &pictures);
    let whole = fixture.load(&posts, &["bert", "resnet"]).unwrap();
    let within = |budget| {
        let names = ["bert", "resnet"];
        Features::load_within(&fixture.store(), &posts, &names, budget).unwrap()
    };
    // 30 rows of 12 bytes and 9 of 16.
    for (budget, on_disk) in [
        (504, [false, false]),
        (503, [true, false]),
        (143, [true, true]),
    ] {
        let features = within(budget);
        let are_on_disk = features.columns.iter().map(Column::is_on_disk);
        assert_eq!(are_on_disk.collect::<Vec<_>>(), on_disk, "{budget}");
        for encoder in ["bert", "resnet"] {
            for index in 0..posts.len() {
                let expected = row(&whole, encoder, index);
                assert_eq!(
                    row(&features, encoder, index),
                    expected,
                    "{encoder} {index}"
                );
            }
            let rows = |features: &Features| features.column(encoder).unwrap().rows();
            assert_eq!(rows(&features), rows(&whole));
        }
    }
    // Open files outlive their names; what was damaged before is found when it is opened.
    let features = within(0);
    let part = fixture.parts("encoders/bert")[2].clone();
    let mut bytes = fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(part.with_extension("new"), &bytes).unwrap();
    fs::rename(part.with_extension("new"), &part).unwrap();
    assert_eq!(row(&features, "bert", 0), row(&whole, "bert", 0));
    let names = ["bert", "resnet"];
    let error = Features::load_within(&fixture.store(), &posts, &names, 0).unwrap_err();
    assert!(
        error.to_string().contains(part.to_str().unwrap()),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn a_part_that_is_cut_while_its_rows_are_read_is_an_error_that_names_it() {
    let fixture = Fixture::filled();
    let names = ["bert"];
    let features = Features::load_within(&fixture.store(), &posts(), &names, 0).unwrap();
    for part in fixture.parts("encoders/bert") {
        fs::OpenOptions::new()
            .write(true)
            .open(&part)
            .unwrap()
            .set_len(30)
            .unwrap();
    }
    let mut out = [0.0; 6];
    let error = features.columns[0]
        .read_row(0, &mut out)
        .unwrap_err()
        .to_string();
    assert!(error.contains("encoders/bert/00000"), "{error}");
}
