//! Rows of as many tokens as a text has: as they were written, in memory and on the disk, joined, exported, merged.

use std::fs::File;

use arrow::array::AsArray;
use arrow::datatypes::Float32Type;
use mmfnd_features::{EncoderSpec, Features, Input, Key, StoreWriter, ValueType, merge, verify};
use mmfnd_posts::Post;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::fixture::{Fixture, link, post, spec, text_key};

const POSTS: usize = 12;

fn tokens(value_type: ValueType) -> EncoderSpec {
    EncoderSpec {
        ragged: true,
        ..spec("tokens", Input::TextOcr, &[5, 3], value_type)
    }
}

fn numbered(number: usize) -> Post {
    post(&number.to_string(), &format!("text {number}"), None)
}

/// One to five tokens, by the post.
fn values(number: usize) -> Vec<f32> {
    let count = 3 * (1 + number % 5);
    (0..count)
        .map(|i| number as f32 + i as f32 / 16.0)
        .collect()
}

fn append(writer: &mut StoreWriter, spec: &EncoderSpec, numbers: &[usize]) {
    let keys: Vec<Key> = numbers.iter().map(|&n| text_key(&numbered(n))).collect();
    let rows: Vec<_> = numbers.iter().map(|&n| values(n)).collect();
    let lengths: Vec<_> = rows.iter().map(|row| (row.len() / 3) as u32).collect();
    let mut encoder = writer.encoder(spec, false).unwrap();
    encoder
        .append_ragged(&keys, &lengths, &rows.concat())
        .unwrap();
}

/// A store with a part for each two posts.
fn filled(value_type: ValueType) -> Fixture {
    let fixture = Fixture::new();
    let mut writer = fixture.writer();
    let links: Vec<_> = (0..POSTS).map(|number| link(&numbered(number))).collect();
    writer.write_links(&links).unwrap();
    for number in (0..POSTS).step_by(2) {
        append(&mut writer, &tokens(value_type), &[number, number + 1]);
    }
    fixture
}

/// The rows of the posts, the last post first.
fn assert_rows(features: &Features, posts: &[usize]) {
    let column = features.column("tokens").unwrap();
    assert_eq!(column.rows(), posts.len());
    for (index, &number) in posts.iter().enumerate() {
        let mut row = vec![-1.0; column.width_of(index)];
        assert!(column.read_row(index, &mut row).unwrap());
        assert_eq!(row, values(number), "post {number}");
    }
}

#[test]
fn rows_are_as_they_were_written_in_memory_and_on_the_disk() {
    for value_type in [ValueType::F16, ValueType::F32] {
        let fixture = filled(value_type);
        assert_eq!(verify(&fixture.path).unwrap().problems, []);
        let order: Vec<_> = (0..POSTS).rev().collect();
        let posts: Vec<_> = order.iter().map(|&number| numbered(number)).collect();
        for budget in [u64::MAX, 0] {
            let store = fixture.store();
            let features = Features::load_within(&store, &posts, &["tokens"], budget).unwrap();
            assert_eq!(features.columns[0].is_on_disk(), budget == 0);
            assert_rows(&features, &order);
        }
        // of some posts only their rows are taken
        let some = [numbered(7), numbered(2)];
        assert_rows(&fixture.load(&some, &["tokens"]).unwrap(), &[7, 2]);
    }
}

#[test]
fn many_small_parts_become_one_with_the_same_rows() {
    let fixture = filled(ValueType::F16);
    let mut writer = fixture.writer();
    for number in 0..POSTS {
        append(&mut writer, &tokens(ValueType::F16), &[number]); // a key that stands twice counts where it stands first
    }
    let mut encoder = writer.encoder(&tokens(ValueType::F16), false).unwrap();
    encoder.clear_plan().unwrap();
    drop((encoder, writer));
    assert_eq!(fixture.parts("encoders/tokens").len(), 1);
    assert_eq!(verify(&fixture.path).unwrap().problems, []);
    let posts: Vec<_> = (0..POSTS).map(numbered).collect();
    let order: Vec<_> = (0..POSTS).collect();
    assert_rows(&fixture.load(&posts, &["tokens"]).unwrap(), &order);
}

#[test]
fn an_exported_row_is_a_list_as_long_as_its_text() {
    let fixture = filled(ValueType::F16);
    let posts: Vec<_> = [4, 0, 3].map(numbered).to_vec();
    let out = fixture.path.with_file_name("out.parquet");
    fixture.store().export(&posts, None, &out).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(out).unwrap()).unwrap();
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let column = batch.column_by_name("tokens").unwrap().as_list::<i32>();
    for (row, number) in [4, 0, 3].into_iter().enumerate() {
        let found = column.value(row);
        assert_eq!(
            found.as_primitive::<Float32Type>().values(),
            &values(number)
        );
    }
}

#[test]
fn a_merged_store_has_the_rows_of_both() {
    let (one, two) = (Fixture::new(), Fixture::new());
    for (fixture, numbers) in [(&one, [0, 1, 2]), (&two, [3, 4, 5])] {
        let mut writer = fixture.writer();
        writer
            .write_links(&numbers.map(|number| link(&numbered(number))))
            .unwrap();
        append(&mut writer, &tokens(ValueType::F16), &numbers);
    }
    let whole = Fixture::new();
    merge(&[one.path.clone(), two.path.clone()], &whole.path).unwrap();
    let posts: Vec<_> = (0..6).map(numbered).collect();
    assert_rows(
        &whole.load(&posts, &["tokens"]).unwrap(),
        &[0, 1, 2, 3, 4, 5],
    );
}

#[test]
fn rows_of_one_width_and_ragged_ones_are_of_different_encoders() {
    let fixture = filled(ValueType::F16);
    let fixed = spec("tokens", Input::TextOcr, &[5, 3], ValueType::F16);
    let error = fixture
        .writer()
        .encoder(&fixed, false)
        .unwrap_err()
        .to_string();
    assert!(error.contains("another encoder"), "{error}");
    let flat = EncoderSpec {
        shape: vec![15],
        ..tokens(ValueType::F16)
    };
    let error = Fixture::new()
        .writer()
        .encoder(&flat, false)
        .unwrap_err()
        .to_string();
    assert!(error.contains("[tokens, width]"), "{error}");
}

#[test]
fn a_store_without_tokens_is_told_how_to_get_them() {
    let fixture = Fixture::filled();
    let error = fixture.load(&[], &["tokens"]).unwrap_err().to_string();
    assert!(
        error.contains("`tokens`") && error.contains("--with-tokens"),
        "{error}"
    );
}
