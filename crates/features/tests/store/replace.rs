//! Another encoder under the same name is refused, or replaces the first and nothing else.

use std::fs;

use mmfnd_features::{EncoderSpec, ValueType, verify};

use crate::fixture::{Fixture, bert, posts, resnet, rows, text_key};

fn other() -> EncoderSpec {
    EncoderSpec {
        fingerprint: "another fingerprint".into(),
        model: "larger.onnx".into(),
        ..bert()
    }
}

#[test]
fn another_encoder_is_refused_naming_both_and_the_remedy() {
    let fixture = Fixture::filled();
    let error = fixture
        .writer()
        .encoder(&other(), false)
        .unwrap_err()
        .to_string();
    let expected = [
        "`bert`",
        "bert.onnx",
        "larger.onnx",
        "fingerprint",
        "another fing",
        "--replace bert",
        "another `--store`",
    ];
    for expected in expected {
        assert!(error.contains(expected), "no {expected} in {error}");
    }
    fixture.load(&posts(), &["bert"]).unwrap();
}

#[test]
fn another_shape_or_type_is_another_encoder() {
    let fixture = Fixture::filled();
    for spec in [
        EncoderSpec {
            shape: vec![6],
            ..bert()
        },
        EncoderSpec {
            value_type: ValueType::F32,
            ..bert()
        },
    ] {
        let error = fixture
            .writer()
            .encoder(&spec, false)
            .unwrap_err()
            .to_string();
        assert!(error.contains("--replace bert"), "{error}");
    }
}

#[test]
fn replacing_drops_that_encoder_only() {
    let fixture = Fixture::filled();
    let resnet_before = fixture.parts("encoders/resnet");
    let mut writer = fixture.writer();
    let mut encoder = writer.encoder(&other(), true).unwrap();
    assert!(encoder.present().is_empty() && encoder.spec() == &other());
    let keys: Vec<_> = posts().iter().map(text_key).collect();
    encoder.append(&keys, &rows(other(), &keys)).unwrap();
    drop((encoder, writer));
    assert_eq!(fixture.parts("encoders/resnet"), resnet_before);
    assert_eq!(fixture.parts("encoders/bert").len(), 1);
    fixture.load(&posts(), &["bert", "resnet"]).unwrap();
    assert_eq!(verify(&fixture.path).unwrap().problems, []);
    assert_eq!(fixture.store().encoders().len(), 2);
}

#[test]
fn replacing_an_encoder_by_itself_keeps_its_rows() {
    let fixture = Fixture::filled();
    let mut writer = fixture.writer();
    assert_eq!(writer.encoder(&bert(), true).unwrap().present().len(), 3);
    assert_eq!(
        writer
            .encoder(&resnet(), true)
            .unwrap()
            .plan()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn replacing_drops_an_encoder_that_is_damaged() {
    for name in ["encoder.json", "part", "deleted"] {
        let fixture = Fixture::filled();
        let part = fixture.parts("encoders/bert")[2].clone();
        match name {
            "deleted" => fs::remove_file(part).unwrap(),
            "part" => {
                let mut bytes = fs::read(&part).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(part, bytes).unwrap();
            }
            name => fs::write(fixture.path.join("encoders/bert").join(name), b"{}").unwrap(),
        }
        let mut writer = fixture.writer();
        assert!(
            writer.encoder(&bert(), true).unwrap().present().is_empty(),
            "{name}"
        );
        drop(writer);
        assert_eq!(verify(&fixture.path).unwrap().problems, [], "{name}");
    }
}
