//! What is written is read, bit for bit, by this crate and by any reader of Parquet.

use std::fs::File;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float16Type};
use half::f16;
use mmfnd_features::{ColumnValues, EncoderSpec, Input, Key, Machine, ValueType, Values};
use mmfnd_posts::Post;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

use crate::fixture::{Fixture, bert, link, post, posts, row, rows, spec, text_key};

fn finite_f16() -> impl Strategy<Value = f32> {
    let bits = any::<u16>().prop_map(f16::from_bits);
    bits.prop_filter("finite", |value| value.is_finite())
        .prop_map(f32::from)
}

fn finite_f32() -> impl Strategy<Value = f32> {
    let bits = any::<u32>().prop_map(f32::from_bits);
    bits.prop_filter("finite", |value| value.is_finite())
}

/// Writes `parts` of rows and reads every post back.
fn round_trip(kind: ValueType, width: usize, parts: &[Vec<Vec<f32>>]) {
    let fixture = Fixture::new();
    let spec = spec("e", Input::Text, &[width], kind);
    let mut posts: Vec<Post> = Vec::new();
    let mut writer = fixture.writer();
    let mut encoder = writer.encoder(&spec, false).unwrap();
    for part in parts {
        let first = posts.len();
        posts.extend((0..part.len()).map(|n| {
            post(
                &format!("{}", first + n),
                &format!("text {}", first + n),
                None,
            )
        }));
        let keys: Vec<_> = posts[first..].iter().map(text_key).collect();
        encoder.append(&keys, &part.concat()).unwrap();
        writer
            .write_links(&posts[first..].iter().map(link).collect::<Vec<_>>())
            .unwrap();
    }
    let features = fixture.load(&posts, &["e"]).unwrap();
    for (number, expected) in parts.iter().flatten().enumerate() {
        let stored = row(&features, "e", number).unwrap();
        let bits = |values: &[f32]| {
            values
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(&stored), bits(expected));
    }
}

fn parts(
    value: impl Strategy<Value = f32> + Clone + 'static,
) -> impl Strategy<Value = (usize, Vec<Vec<Vec<f32>>>)> {
    (1usize..6).prop_flat_map(move |width| {
        let row = prop::collection::vec(value.clone(), width);
        let part = prop::collection::vec(row, 1..5);
        (Just(width), prop::collection::vec(part, 1..4))
    })
}

#[cfg(unix)]
#[test]
fn a_store_whose_path_is_not_utf8_is_shown_as_json() {
    use std::os::unix::ffi::OsStrExt;

    let fixture = Fixture::filled();
    let path = std::ffi::OsStr::from_bytes(b"st\xFFre");
    let path = fixture.path.with_file_name(path);
    std::fs::rename(&fixture.path, &path).unwrap();
    let store = mmfnd_features::Store::open(&path).unwrap();
    let json = serde_json::to_value(store.inspect().unwrap()).unwrap();
    assert!(json["path"].as_str().unwrap().ends_with("st\u{FFFD}re"));
    std::fs::write(path.join("foreign"), b"").unwrap();
    let json = serde_json::to_value(store.verify().unwrap()).unwrap();
    let file = json["problems"][0]["file"].as_str().unwrap();
    assert!(file.ends_with("foreign"));
}

#[test]
fn each_part_records_the_provider_that_made_it() {
    let fixture = Fixture::filled();
    let elsewhere = EncoderSpec {
        provider: "gpu".into(),
        ..bert()
    };
    fixture.append(&elsewhere, &[Key::of(b"new")]);
    let inspection = fixture.store().inspect().unwrap();
    let made_by = |name: &str| {
        let mut encoders = inspection.encoders.iter();
        let found = encoders.find(|encoder| encoder.spec.name == name).unwrap();
        (found.spec.provider.clone(), found.made_by.clone())
    };
    let (first, all) = made_by("bert");
    assert_eq!(first, "cpu", "the encoder's is that of its first part");
    assert_eq!(all["gpu f32"], 1);
    assert!(all["cpu f32"] >= 1);
    assert_eq!(made_by("resnet").1.len(), 1);
}

#[test]
fn each_part_records_the_machine_that_made_it_and_others_are_told() {
    let fixture = Fixture::new();
    let machine = |processor: &str| Machine {
        runtime: "ONNX Runtime 1.32.0".into(),
        processor: processor.into(),
    };
    let append = |machine: Option<Machine>, key: &[u8]| {
        let mut writer = fixture.writer();
        let mut encoder = writer.encoder(&bert(), false).unwrap();
        if let Some(machine) = machine {
            encoder.set_machine(machine);
        }
        let others = encoder.other_makers();
        let others: Vec<_> = others
            .map(|(maker, rows)| (maker.to_string(), rows))
            .collect();
        let row = vec![1.0; bert().width()];
        encoder.append(&[Key::of(key)], &row).unwrap();
        others
    };
    assert_eq!(append(Some(machine("old")), b"1"), []);
    assert_eq!(append(Some(machine("old")), b"2"), []);
    assert_eq!(append(None, b"3"), [], "what is not known is not told");
    let old = "cpu f32, ONNX Runtime 1.32.0, old".to_owned();
    assert_eq!(append(Some(machine("new")), b"4"), [(old.clone(), 2)]);
    let made_by = fixture.store().inspect().unwrap().encoders[0]
        .made_by
        .clone();
    assert_eq!((made_by[&old], made_by["cpu f32"]), (2, 1));
    assert_eq!(made_by["cpu f32, ONNX Runtime 1.32.0, new"], 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn f32_comes_back_bit_for_bit((width, parts) in parts(finite_f32().boxed())) {
        round_trip(ValueType::F32, width, &parts);
    }

    #[test]
    fn f16_comes_back_bit_for_bit((width, parts) in parts(finite_f16().boxed())) {
        round_trip(ValueType::F16, width, &parts);
    }

    #[test]
    fn f16_is_rounded_to_nearest(value in -65_000f32..65_000.0) {
        let fixture = Fixture::new();
        let spec = spec("e", Input::Text, &[1], ValueType::F16);
        let post = post("1", "x", None);
        fixture.writer().encoder(&spec, false).unwrap().append(&[text_key(&post)], &[value]).unwrap();
        fixture.writer().write_links(&[link(&post)]).unwrap();
        let features = fixture.load(&[post], &["e"]).unwrap();
        let expected = Values::F16(vec![f16::from_f32(value)]);
        assert_eq!(features.columns[0].values, ColumnValues::Memory(expected));
    }
}

#[test]
fn a_part_of_many_pages_is_read_as_parquet_reads_it() {
    let fixture = Fixture::new();
    let spec = spec("e", Input::Text, &[13, 768], ValueType::F16);
    let keys: Vec<_> = (0..4000u32).map(|n| Key::of(&n.to_le_bytes())).collect();
    let mut values = rows(&spec, &keys);
    values
        .iter_mut()
        .enumerate()
        .for_each(|(index, value)| *value += (index % 7) as f32);
    fixture
        .writer()
        .encoder(&spec, false)
        .unwrap()
        .append(&keys, &values)
        .unwrap();
    let [part] = fixture.parts("encoders/e").try_into().unwrap();

    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(part).unwrap()).unwrap();
    let shape = reader.schema().metadata()["mmfnd.shape"].clone();
    assert_eq!(shape, "13,768");
    let mut row = 0;
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        assert_eq!(batch.column(0).data_type(), &DataType::FixedSizeBinary(16));
        let lists = batch.column(1).as_fixed_size_list();
        assert_eq!(lists.null_count(), 0);
        let read = lists.values().as_primitive::<Float16Type>().values();
        let expected = &values[row * spec.width()..][..read.len()];
        assert!(
            read.iter()
                .map(|value| value.to_f32())
                .eq(expected.iter().map(|&value| f16::from_f32(value).to_f32())),
            "row {row}"
        );
        for index in 0..batch.num_rows() {
            assert_eq!(
                batch.column(0).as_fixed_size_binary().value(index),
                keys[row + index].as_bytes()
            );
        }
        row += batch.num_rows();
    }
    assert_eq!(row, keys.len());
}

#[test]
fn values_that_16_bits_cannot_hold_are_refused_with_the_remedy() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer();
    let mut encoder = writer.encoder(&bert(), false).unwrap();
    let key = text_key(&posts()[0]);
    let error = encoder
        .append(&[key], &[1.0, 2.0, 70_000.0, 4.0, 5.0, 6.0])
        .unwrap_err()
        .to_string();
    for expected in [
        "`bert`",
        &key.to_string(),
        "value 2",
        "70000",
        "--values f32",
    ] {
        assert!(error.contains(expected), "no {expected} in {error}");
    }
    assert!(fixture.parts("encoders").is_empty());
    encoder.append(&[key], &[65504.0; 6]).unwrap();
}

#[test]
fn nan_is_refused_before_it_is_stored() {
    let fixture = Fixture::new();
    for wrong in [f32::NAN, f32::INFINITY] {
        let mut writer = fixture.writer();
        let mut encoder = writer.encoder(&bert(), false).unwrap();
        let error = encoder
            .append(&[Key::of(b"x")], &[wrong; 6])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`bert`") && error.contains("not a number"),
            "{error}"
        );
    }
    assert!(fixture.parts("encoders").is_empty());
}

#[test]
fn no_rows_make_no_part() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer();
    writer
        .encoder(&bert(), false)
        .unwrap()
        .append(&[], &[])
        .unwrap();
    writer.write_links(&[]).unwrap();
    drop(writer);
    assert!(fixture.parts("").is_empty());
    assert!(fixture.store().verify().unwrap().problems.is_empty());
    assert!(
        fixture.load(&[], &["bert"]).unwrap().columns[0]
            .values
            .is_empty()
    );
}
