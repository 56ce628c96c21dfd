//! Presets: what is refused and with which words; identities.

use std::path::Path;

use mmfnd_features::ValueType;
use tempfile::tempdir;

use crate::doctor::{FileState, files_of};
use crate::{Error, Preset};

const TEXT: &str = r#"
name = "tiny"
[[encoder]]
name = "bert"
input = "text+ocr"
model = "../tiny/bert.onnx"
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
tokenizer = "tokenizer.json"
tokenizer_sha256 = "00"
max_length = 300
output = "cls"
shape = [3, 8]
precision = "f32"
[[encoder]]
name = "resnet"
input = "image"
model = "resnet.onnx"
sha256 = "00"
output = "pooled"
shape = [8]
precision = "f32"
[encoder.image]
resize = { shortest = 64 }
crop = 56
filter = "bilinear"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
"#;

fn read(folder: &Path, text: &str) -> Result<Preset, Error> {
    let file = folder.join("presets/tiny.toml");
    std::fs::create_dir_all(folder.join("presets")).unwrap();
    std::fs::write(&file, text).unwrap();
    Preset::find(file.to_str().unwrap())
}

fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

#[test]
fn paths_are_relative_to_the_preset() {
    let folder = tempdir().unwrap();
    let preset = read(folder.path(), TEXT).unwrap();
    assert_eq!(
        preset.encoders[0].model,
        folder.path().join("tiny/bert.onnx")
    );
    let only = preset.only(&["resnet".into()]).unwrap();
    assert_eq!(only.encoders.len(), 1);
}

#[test]
fn other_weights_beside_the_model_are_another_encoder() {
    let folder = tempdir().unwrap();
    let fingerprint = |weights: &str| {
        let text = TEXT.replace("tokenizer = ", &format!("{weights}\ntokenizer = "));
        let preset = read(folder.path(), &text).unwrap();
        let files = preset.encoders[0].files().len();
        let spec = preset.encoders[0].spec("tiny", ValueType::F16, "CPUExecutionProvider");
        (spec.fingerprint, files)
    };
    let (without, files) = fingerprint("");
    let (one, more) = fingerprint("weights = \"w\"\nweights_sha256 = \"01\"");
    let (other, _) = fingerprint("weights = \"w\"\nweights_sha256 = \"02\"");
    assert_eq!((files, more), (2, 3));
    assert!(without != one && one != other);
}

#[test]
fn what_is_impossible_is_refused_with_the_rule() {
    let folder = tempdir().unwrap();
    let cases = [
        (
            "name = \"bert\"",
            "name = \"Bert\"",
            "encoder `Bert`: a name has only a-z, 0-9 and _",
        ),
        (
            "name = \"resnet\"",
            "name = \"bert\"",
            "encoder `bert`: two encoders have this name",
        ),
        (
            "shape = [3, 8]",
            "shape = []",
            "`shape` needs at least one axis",
        ),
        ("max_length = 300\n", "", "needs `max_length`"),
        ("tokenizer = \"tokenizer.json\"\n", "", "needs `tokenizer`"),
        (
            "crop = 56",
            "crop = 65",
            "the crop no larger than the resized picture",
        ),
        (
            "std = [0.5, 0.5, 0.5]",
            "std = [0.5, 0.0, 0.5]",
            "`std` above 0",
        ),
        ("filter = \"bilinear\"", "filter = \"lanczos\"", "lanczos"),
        ("max_length", "maxlength", "unknown field `maxlength`"),
        (
            "sha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
            "",
            "missing field `sha256`",
        ),
    ];
    for (old, new, expected) in cases {
        assert!(TEXT.contains(old));
        let error = read(folder.path(), &TEXT.replacen(old, new, 1)).unwrap_err();
        let said = chain(&error);
        assert!(
            said.contains(expected) && said.contains("tiny.toml"),
            "{said}"
        );
    }
}

#[test]
fn a_preset_that_is_not_there_is_answered_with_where_it_was_looked_for() {
    let said = chain(&Preset::find("no such").unwrap_err());
    assert!(
        said.contains("no such preset; looked for") && said.contains("no such.toml"),
        "{said}"
    );
}

#[test]
fn a_missing_and_a_changed_model_are_told_apart_and_both_have_a_remedy() {
    let folder = tempdir().unwrap();
    let preset = read(folder.path(), TEXT).unwrap();
    let bert = &preset.encoders[0];
    let said = bert.verify("tiny").unwrap_err().to_string();
    assert!(
        said.contains("bert.onnx` is missing; correct preset `tiny`"),
        "{said}"
    );

    std::fs::create_dir(folder.path().join("tiny")).unwrap();
    std::fs::write(&bert.model, "abd").unwrap();
    let said = bert.verify("tiny").unwrap_err().to_string();
    assert!(
        said.contains("is not the file that preset `tiny` means"),
        "{said}"
    );
    assert_eq!(files_of(&preset)[0].1, FileState::Differs);

    std::fs::write(&bert.model, "abc").unwrap();
    let states: Vec<FileState> = files_of(&preset)
        .into_iter()
        .map(|(_, state)| state)
        .collect();
    assert_eq!(
        states,
        [FileState::Present, FileState::Missing, FileState::Missing]
    );
}

#[test]
fn everything_that_changes_a_value_changes_the_fingerprint_and_nothing_else_does() {
    let folder = tempdir().unwrap();
    let fingerprints = |text: &str| {
        let preset = read(folder.path(), text).unwrap();
        let of = |number: usize| {
            preset.encoders[number]
                .spec("p", ValueType::F16, "cpu")
                .fingerprint
        };
        (of(0), of(1))
    };
    let (bert, resnet) = fingerprints(TEXT);
    assert_eq!(bert.len(), 64);
    assert!(
        bert.starts_with("fc4a37f6eb7adb5e"),
        "stores of earlier versions would be refused: {bert}"
    );
    for (old, new) in [
        ("max_length = 300", "max_length = 77"),
        ("output = \"cls\"", "output = \"last\""),
        ("tokenizer_sha256 = \"00\"", "tokenizer_sha256 = \"01\""),
    ] {
        let changed = fingerprints(&TEXT.replacen(old, new, 1));
        assert!(changed.0 != bert && changed.1 == resnet, "{old}");
    }
    for (old, new) in [
        ("crop = 56", "crop = 48"),
        ("\"bilinear\"", "\"bicubic\""),
        ("mean = [0.5", "mean = [0.4"),
        ("crop = 56", "crop = 56\ncrop_offset = \"round\""),
    ] {
        let changed = fingerprints(&TEXT.replacen(old, new, 1));
        assert!(changed.0 == bert && changed.1 != resnet, "{old}");
    }
    let moved = TEXT
        .replace("../tiny/bert.onnx", "elsewhere.onnx")
        .replace("name = \"tiny\"", "name = \"other\"");
    assert_eq!(fingerprints(&moved), (bert, resnet));
}

#[test]
fn the_revision_of_preprocessing_is_part_of_the_fingerprint_and_an_earlier_one_is_recognised() {
    let folder = tempdir().unwrap();
    let preset = read(folder.path(), TEXT).unwrap();
    for encoder in &preset.encoders {
        let today = encoder.spec("tiny", ValueType::F16, "cpu");
        let of = |revision| encoder.fingerprint(ValueType::F16, revision);
        assert_eq!(today.fingerprint, of(encoder.revision()));
        assert!(of(1) != of(2) && of(2) != of(3));
        let stored = mmfnd_features::EncoderSpec {
            fingerprint: of(2),
            ..today
        };
        assert_eq!(encoder.earlier_revision(&stored, 4), Some(2));
        assert_eq!(
            encoder.earlier_revision(&stored, 2),
            None,
            "it is not earlier"
        );
        let other = mmfnd_features::EncoderSpec {
            value_type: ValueType::F32,
            ..stored
        };
        assert_eq!(encoder.earlier_revision(&other, 4), None, "more differs");
    }
}
