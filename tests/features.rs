//! `mmfnd features`: inspect, verify, export.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use mmfnd_demo_world::{WorldOptions, generate};
use mmfnd_features::{EncoderSpec, Input, Key, Link, Precision, Store, StoreWriter, ValueType};
use mmfnd_posts::{Label, Post, Split, read_posts, write_posts};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::program::Mmfnd;

/// `posts.parquet` of two posts, of which the second has no picture, and a store with two encoders.
fn world(folder: &Path) -> (PathBuf, PathBuf) {
    let posts = [post("17", "a dog"), post("18", "a cat")];
    let file = folder.join("posts.parquet");
    write_posts(&file, &posts).unwrap();
    let store = folder.join("store");
    let mut writer = StoreWriter::open(&store).unwrap();
    let links: Vec<_> = posts
        .iter()
        .enumerate()
        .map(|(n, post)| link(post, n == 0))
        .collect();
    writer.write_links(&links).unwrap();
    let mut bert = writer
        .encoder(&spec("bert", Input::TextOcr, &[13, 2]), false)
        .unwrap();
    let keys: Vec<_> = links.iter().map(|link| link.text_ocr_key).collect();
    bert.append(&keys, &[0.5; 52]).unwrap();
    let mut resnet = writer
        .encoder(&spec("resnet", Input::Image, &[4]), false)
        .unwrap();
    resnet
        .append(&[Key::of(b"picture")], &[1.0, 2.0, 3.0, 4.0])
        .unwrap();
    (store, file)
}

fn post(id: &str, text: &str) -> Post {
    Post {
        id: id.into(),
        text: text.into(),
        images: Vec::new(),
        label: Some(Label::Fake),
        split: Split::Test,
        event: None,
        ocr_text: None,
        cause: None,
    }
}

fn link(post: &Post, has_picture: bool) -> Link {
    let key = Key::of(post.text.as_bytes());
    Link {
        post_id: post.id.clone(),
        source_key: key,
        text_key: key,
        text_ocr_key: key,
        image_key: has_picture.then(|| Key::of(b"picture")),
        image: has_picture.then(|| "a.png".into()),
        reason: None,
    }
}

fn spec(name: &str, input: Input, shape: &[usize]) -> EncoderSpec {
    EncoderSpec {
        name: name.into(),
        input,
        shape: shape.into(),
        ragged: false,
        value_type: ValueType::F16,
        fingerprint: "0123456789abcdef".into(),
        model: format!("{name}.onnx"),
        preset: "demo".into(),
        precision: Precision::F32,
        provider: "cpu".into(),
        classifier_sha256: None,
    }
}

fn features(arguments: &[&str]) -> Mmfnd {
    Mmfnd::new([&["features"], arguments].concat())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn inspect_shows_encoders_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = world(folder.path());
    let shown = features(&["inspect", text(&store)]).succeeds().stdout;
    let shown = shown.replace(text(&store), "STORE");
    let (head, table) = shown.split_once("\n\n").unwrap();
    assert!(
        head.contains("store        STORE\n")
            && head.contains("posts        2 with 2 texts and 1 picture"),
        "{head}"
    );
    assert!(
        head.contains("1 without a usable picture, 0 rejects"),
        "{head}"
    );
    let cells: Vec<Vec<_>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let names = [
        "encoder",
        "input",
        "shape",
        "type",
        "rows",
        "MB",
        "precision",
        "provider",
        "fingerprint",
        "preset",
        "model",
    ];
    assert_eq!(cells[0], names);
    let bert = [
        "bert",
        "text+ocr",
        "13x2",
        "f16",
        "2",
        "0.0",
        "f32",
        "cpu",
        "0123456789ab",
        "demo",
        "bert.onnx",
    ];
    assert_eq!(cells[1], bert);
    assert_eq!((cells[2][0], cells[2][4]), ("resnet", "1"));
    assert_eq!(cells.len(), 3);
}

#[test]
fn inspect_speaks_json_and_tells_what_is_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = world(folder.path());
    let mut writer = StoreWriter::open(&store).unwrap();
    writer
        .write_links(&[link(&post("19", "a bird"), true)])
        .unwrap();
    drop(writer);
    let json = features(&["inspect", text(&store), "--json"])
        .succeeds()
        .stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["posts"], 3);
    assert_eq!(json["encoders"][0]["name"], "bert");
    assert_eq!(json["encoders"][0]["shape"], serde_json::json!([13, 2]));
    assert_eq!(json["encoders"][0]["missing"], 1);
    let expected = "bert: 1 content not encoded; run `mmfnd encode` again";
    features(&["inspect", text(&store)])
        .succeeds()
        .expect_stdout(expected);
}

#[test]
fn verify_passes_a_sound_store_and_names_a_changed_file() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = world(folder.path());
    features(&["verify", text(&store)])
        .succeeds()
        .expect_stdout("every byte is as it was written");
    let entries = fs::read_dir(store.join("encoders/bert")).unwrap();
    let mut files = entries.map(|entry| entry.unwrap().path());
    let part = files
        .find(|path| path.extension().is_some_and(|ending| ending == "parquet"))
        .unwrap();
    let mut bytes = fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&part, &bytes).unwrap();
    features(&["verify", text(&store)])
        .fails()
        .expect_stderr(text(&part))
        .expect_stderr("--replace bert");
    let json = features(&["verify", text(&store), "--json"]).fails().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["problems"][0]["file"], text(&part));
}

#[test]
fn a_changed_catalog_fails_every_command_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = world(folder.path());
    let file = store.join("store.json");
    let changed = fs::read_to_string(&file)
        .unwrap()
        .replace("\"bert\"", "\"best\"");
    fs::write(&file, changed).unwrap();
    for command in ["inspect", "verify"] {
        features(&[command, text(&store)])
            .fails()
            .expect_stderr("store.json")
            .expect_stderr("checksum");
    }
}

#[test]
fn a_folder_that_is_no_store_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["inspect", "verify"] {
        let ran = features(&[command, text(folder.path())]).fails();
        ran.expect_stderr(text(folder.path()))
            .expect_stderr("is no feature store");
    }
}

#[test]
fn export_writes_a_row_per_post_and_counts_nulls() {
    let folder = tempfile::tempdir().unwrap();
    let (store, posts) = world(folder.path());
    let out = folder.path().join("features.parquet");
    let arguments = [
        "export",
        text(&store),
        "--posts",
        text(&posts),
        "--out",
        text(&out),
    ];
    features(&arguments)
        .succeeds()
        .expect_stdout("2 posts written")
        .expect_stdout("resnet: null for 1 post");
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(&out).unwrap()).unwrap();
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    assert_eq!(batch.num_rows(), 2);
    assert_eq!(
        batch
            .column_by_name("bert")
            .unwrap()
            .as_fixed_size_list()
            .value_length(),
        26
    );
    let resnet = batch.column_by_name("resnet").unwrap();
    assert!(resnet.is_valid(0) && resnet.is_null(1));
}

#[test]
fn export_refuses_another_ending_and_a_folder_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let (store, posts) = world(folder.path());
    let out = folder.path().join("features.csv");
    let export = |out: &Path| {
        features(&[
            "export",
            text(&store),
            "--posts",
            text(&posts),
            "--out",
            text(out),
        ])
    };
    export(&out).fails().expect_stderr(".parquet");
    export(&folder.path().join("none/a.parquet"))
        .fails()
        .expect_stderr("none/a.parquet");
}

/// A small demo world that is encoded: its posts and the store.
fn encoded(folder: &Path) -> (PathBuf, PathBuf) {
    generate(&WorldOptions { seed: 5, posts: 20 }, folder).unwrap();
    let (posts, store) = (folder.join("posts.parquet"), folder.join("store"));
    let given = ["encode", "--posts", text(&posts), "--preset", "demo"];
    Mmfnd::new([&given[..], &["--store", text(&store)]].concat()).succeeds();
    (posts, store)
}

fn sample(store: &Path, posts: &Path, more: &[&str]) -> Mmfnd {
    let given = ["verify", text(store), "--sample", "5", "--preset", "demo"];
    features(&[&given[..], &["--posts", text(posts)], more].concat())
}

#[test]
fn a_sample_that_is_encoded_again_is_what_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (posts, store) = encoded(folder.path());
    let ran = sample(&store, &posts, &[]).succeeds();
    let lines = ran.stdout.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let is_encoder = ["bert", "clip_text", "clip_image", "resnet"].contains(cells.first()?);
        is_encoder.then_some(cells)
    });
    let lines: Vec<Vec<&str>> = lines.collect();
    assert_eq!(lines.len(), 4, "{ran:?}");
    for cells in lines {
        assert_eq!(cells[2], "5", "{cells:?}");
        let [cosine, relative] = [3, 5].map(|column| cells[column].parse::<f64>().unwrap());
        assert!(cosine > 0.99999 && relative < 1e-3, "{cells:?}");
    }
    let [first, again, other] =
        ["1", "1", "2"].map(|seed| sample(&store, &posts, &["--seed", seed]).succeeds().stdout);
    assert_eq!(first, again);
    assert_ne!(first, other, "another seed draws other rows");
}

#[test]
fn rows_that_another_model_could_have_made_fail_the_sample_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (posts, store) = encoded(folder.path());
    // Sound files, right encoder, wrong values: only encoding again can tell.
    let spec = Store::open(&store).unwrap();
    let spec = spec
        .encoders()
        .iter()
        .find(|spec| spec.name == "clip_text")
        .unwrap()
        .clone();
    let keys: Vec<Key> = read_posts(&posts)
        .unwrap()
        .iter()
        .map(|post| Key::of(post.text.as_bytes()))
        .collect();
    fs::remove_dir_all(store.join("encoders/clip_text")).unwrap();
    let mut writer = StoreWriter::open(&store).unwrap();
    let mut table = writer.encoder(&spec, true).unwrap();
    let values: Vec<f32> = (0..keys.len() * spec.width())
        .map(|n| (n % 7) as f32)
        .collect();
    table.append(&keys, &values).unwrap();
    drop((table, writer));
    sample(&store, &posts, &[])
        .fails()
        .expect_stderr("`clip_text` is not what its encoder gives now")
        .expect_stderr("--replace clip_text");
}

#[test]
fn rows_whose_content_no_post_has_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let (posts, store) = encoded(folder.path());
    let all = read_posts(&posts).unwrap();
    let some = folder.path().join("some.parquet");
    write_posts(&some, &all[..10]).unwrap();
    let given = ["--sample", "20", "--preset", "demo", "--posts", text(&some)];
    let verify = |given: &[&str]| features(&[&["verify", text(&store)], given].concat());
    verify(&given)
        .succeeds()
        .expect_stdout("note     bert: 10 of the rows that were drawn were not compared");
    let none = folder.path().join("none.parquet");
    write_posts(&none, &[post("17", "a text that was never encoded")]).unwrap();
    verify(&["--sample", "3", "--preset", "demo", "--posts", text(&none)])
        .fails()
        .expect_stderr("`bert` could not be checked: none of the posts");
}

#[test]
fn a_sample_of_another_encoder_is_refused_naming_both() {
    let folder = tempfile::tempdir().unwrap();
    let (store, posts) = world(folder.path());
    sample(&store, &posts, &[])
        .fails()
        .expect_stderr("holds `bert` of another encoder")
        .expect_stderr("0123456789ab");
}
