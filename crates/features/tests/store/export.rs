//! The exported table has a row per post and says what is absent.

use std::fs::File;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float32Type, Int8Type};
use mmfnd_features::{Input, ValueType};
use mmfnd_posts::{Label, Split};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::fixture::{Fixture, bert, link, picture_key, post, posts, resnet, rows, spec, text_key};

fn exported(fixture: &Fixture, posts: &[mmfnd_posts::Post]) -> RecordBatch {
    let out = fixture.path.with_file_name("out.parquet");
    fixture.store().export(posts, None, &out).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(out).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

#[test]
fn a_row_per_post_with_nulls_where_there_is_no_picture() {
    let fixture = Fixture::filled();
    let mut posts = posts();
    posts.reverse();
    posts[0].label = None;
    posts[1].label = Some(Label::Real);
    posts[1].split = Split::Test;
    let table = exported(&fixture, &posts);
    let names: Vec<_> = table
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(names, ["post_id", "label", "split", "bert", "resnet"]);
    let ids: Vec<_> = table
        .column(0)
        .as_string::<i32>()
        .iter()
        .flatten()
        .collect();
    assert_eq!(ids, ["3", "2", "1"]);
    let labels: Vec<_> = table.column(1).as_primitive::<Int8Type>().iter().collect();
    assert_eq!(labels, [None, Some(0), Some(1)]);
    let splits: Vec<_> = table
        .column(2)
        .as_string::<i32>()
        .iter()
        .flatten()
        .collect();
    assert_eq!(splits, ["train", "test", "train"]);
    for (row, post) in posts.iter().enumerate() {
        let value = table.column(3).as_fixed_size_list().value(row);
        assert_eq!(
            value.as_primitive::<Float32Type>().values(),
            &rows(bert(), &[text_key(post)])
        );
    }
    let pictures = table.column(4).as_fixed_size_list();
    assert!(pictures.is_null(0));
    assert_eq!(
        pictures.value(2).as_primitive::<Float32Type>().values(),
        &rows(resnet(), &[picture_key("a.png")])
    );
}

#[test]
fn an_encoder_that_lacks_posts_is_counted() {
    let fixture = Fixture::filled();
    let new = post("4", "a bird", Some("b.png"));
    fixture.writer().write_links(&[link(&new)]).unwrap();
    let out = fixture.path.with_file_name("out.parquet");
    let all: Vec<_> = posts().into_iter().chain([new]).collect();
    let exported = fixture.store().export(&all, None, &out).unwrap();
    assert_eq!(exported.posts, 4);
    assert_eq!(
        exported.absent,
        [("bert".to_owned(), 1), ("resnet".to_owned(), 2)]
    );
}

#[test]
fn many_groups_are_written_in_order() {
    let fixture = Fixture::new();
    let wide = spec("wide", Input::Text, &[13, 768], ValueType::F32);
    let posts: Vec<_> = (0..2000)
        .map(|n| post(&n.to_string(), &format!("text {}", n % 40), None))
        .collect();
    let keys: Vec<_> = posts[..40].iter().map(text_key).collect();
    fixture.append(&wide, &keys);
    fixture
        .writer()
        .write_links(&posts.iter().map(link).collect::<Vec<_>>())
        .unwrap();
    let table = exported(&fixture, &posts);
    assert_eq!(table.num_rows(), 2000);
    for (row, post) in posts.iter().enumerate().step_by(97) {
        assert_eq!(table.column(0).as_string::<i32>().value(row), post.id);
        let value = table.column(1 + 2).as_fixed_size_list().value(row);
        assert_eq!(
            value.as_primitive::<Float32Type>().values(),
            &rows(&wide, &[text_key(post)])
        );
    }
}

#[test]
fn posts_that_are_not_in_the_store_are_refused_and_nothing_is_written() {
    let fixture = Fixture::filled();
    let out = fixture.path.with_file_name("out.parquet");
    let error = fixture
        .store()
        .export(&[post("9", "x", None)], None, &out)
        .unwrap_err()
        .to_string();
    assert!(error.contains("post `9` is not in"), "{error}");
    let missing = fixture.path.with_file_name("none").join("out.parquet");
    let error = fixture
        .store()
        .export(&posts(), None, &missing)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("none") && error.contains("cannot write"),
        "{error}"
    );
    assert!(!out.exists() && !missing.exists());
}

#[test]
fn a_map_has_the_posts_texts_pictures_and_places() {
    let fixture = Fixture::filled();
    let posts = posts();
    let mut places = vec![None; posts.len()];
    places[0] = Some([0.5, -2.0]);
    let out = fixture.path.with_file_name("map.parquet");
    fixture.store().export(&posts, Some(&places), &out).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(out).unwrap()).unwrap();
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let names: Vec<_> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(names[3..7], ["text", "image", "x", "y"]);
    let texts: Vec<_> = batch
        .column(3)
        .as_string::<i32>()
        .iter()
        .flatten()
        .collect();
    assert_eq!(
        texts,
        posts
            .iter()
            .map(|post| post.text.as_str())
            .collect::<Vec<_>>()
    );
    let images: Vec<_> = batch.column(4).as_string::<i32>().iter().collect();
    let expected = posts.iter().map(|post| post.images.first()?.to_str());
    assert_eq!(images, expected.collect::<Vec<_>>());
    let y: Vec<_> = batch
        .column(6)
        .as_primitive::<Float32Type>()
        .iter()
        .collect();
    assert_eq!((y[0], y[1]), (Some(-2.0), None));
}
