//! Writing `posts.parquet`: its schema, and posts as columns.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int8Array, ListBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};

use super::row::{Row, folder_of};
use crate::tables::record_batch::write_batch;
use crate::{Error, Post};

/// Writes `posts.parquet`, whole or not at all; pictures below its folder are written as relative paths.
pub fn write_posts(path: &Path, posts: &[Post]) -> Result<(), Error> {
    let batch = to_batch(path, posts)?;
    write_batch(path, &batch)
}

pub(super) fn to_batch(path: &Path, posts: &[Post]) -> Result<RecordBatch, Error> {
    check_unique(path, posts)?;
    let strings = |get: fn(&Post) -> Option<&str>| -> ArrayRef {
        Arc::new(posts.iter().map(get).collect::<StringArray>())
    };
    let splits: StringArray = posts.iter().map(|p| Some(p.split.to_string())).collect();
    let labels: Int8Array = posts.iter().map(|p| p.label.map(|l| l as i8)).collect();
    let columns: Vec<ArrayRef> = vec![
        strings(|p| Some(&p.id)),
        strings(|p| Some(&p.text)),
        image_column(path, posts)?,
        Arc::new(labels),
        Arc::new(splits),
        strings(|p| p.event.as_deref()),
        strings(|p| p.ocr_text.as_deref()),
        strings(|p| p.cause.as_deref()),
    ];
    Ok(RecordBatch::try_new(Arc::new(schema()), columns).expect("the columns follow the schema"))
}

/// The columns of the file.
pub(super) fn schema() -> Schema {
    let string = |name, nullable| Field::new(name, DataType::Utf8, nullable);
    Schema::new(vec![
        string("post_id", false),
        string("text", false),
        Field::new("images", DataType::List(Arc::new(list_item())), false),
        Field::new("label", DataType::Int8, true),
        string("split", false),
        string("event", true),
        string("ocr_text", true),
        string("cause", true),
    ])
}

fn list_item() -> Field {
    Field::new("item", DataType::Utf8, false)
}

fn check_unique(path: &Path, posts: &[Post]) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for (index, post) in posts.iter().enumerate() {
        let row = Row {
            path,
            row: index + 1,
        };
        if !seen.insert(post.id.as_str()) {
            let expected = "every id once: an earlier row has this one";
            return Err(row.wrong("post_id", &post.id, expected));
        }
    }
    Ok(())
}

fn image_column(path: &Path, posts: &[Post]) -> Result<ArrayRef, Error> {
    let folder = folder_of(path)?;
    let canonical = folder.canonicalize().unwrap_or_else(|_| folder.clone());
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(list_item());
    for (index, post) in posts.iter().enumerate() {
        for image in &post.images {
            let below = image
                .strip_prefix(&folder)
                .or_else(|_| image.strip_prefix(&canonical))
                .unwrap_or(image);
            let text = below.to_str().ok_or_else(|| {
                let row = Row {
                    path,
                    row: index + 1,
                };
                let expected = "a path that is valid UTF-8";
                row.wrong("images", &image.to_string_lossy(), expected)
            })?;
            lists.values().append_value(text);
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}
