//! Writing `posts.parquet`: its schema, and posts as columns.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int8Array, ListBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};

use super::row::{Row, SeenIds, folder_of};
use crate::tables::record_batch::write_batches;
use crate::{Error, Post};

/// Posts that are made columns at a time, so that a million of them need not stand in memory twice.
const ROWS: usize = 64 * 1024;

/// Writes `posts.parquet`, whole or not at all; pictures below its folder are written as relative paths.
pub fn write_posts(path: &Path, posts: &[Post]) -> Result<(), Error> {
    let folder = Folder::of(path)?;
    check(path, &folder, posts)?;
    let batches = posts.chunks(ROWS).map(|posts| to_batch(&folder, posts));
    write_batches(path, Arc::new(schema()), batches)
}

pub(super) fn to_batch(folder: &Folder, posts: &[Post]) -> RecordBatch {
    let strings = |get: fn(&Post) -> Option<&str>| -> ArrayRef {
        Arc::new(posts.iter().map(get).collect::<StringArray>())
    };
    let splits: StringArray = posts.iter().map(|p| Some(p.split.to_string())).collect();
    let labels: Int8Array = posts.iter().map(|p| p.label.map(|l| l as i8)).collect();
    let columns: Vec<ArrayRef> = vec![
        strings(|p| Some(&p.id)),
        strings(|p| Some(&p.text)),
        image_column(folder, posts),
        Arc::new(labels),
        Arc::new(splits),
        strings(|p| p.event.as_deref()),
        strings(|p| p.ocr_text.as_deref()),
        strings(|p| p.cause.as_deref()),
    ];
    RecordBatch::try_new(Arc::new(schema()), columns).expect("the columns follow the schema")
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

/// Every id once, and every path one that can be written.
fn check(path: &Path, folder: &Folder, posts: &[Post]) -> Result<(), Error> {
    let mut seen = SeenIds::default();
    for (row, post) in (1..).zip(posts) {
        let row = Row { path, row };
        row.new_id(&post.id, &mut seen)?;
        let mut images = post.images.iter();
        if let Some(image) = images.find(|image| folder.relative(image).is_none()) {
            let expected = "a path that is valid UTF-8";
            return Err(row.wrong("images", &image.to_string_lossy(), expected));
        }
    }
    Ok(())
}

/// The folder of the file, by the name that was given and without links.
pub(super) struct Folder {
    absolute: PathBuf,
    canonical: PathBuf,
}

impl Folder {
    pub(super) fn of(file: &Path) -> Result<Self, Error> {
        let absolute = folder_of(file)?;
        let canonical = absolute.canonicalize();
        Ok(Self {
            canonical: canonical.unwrap_or_else(|_| absolute.clone()),
            absolute,
        })
    }

    /// The path of a picture as it is written, if it is UTF-8.
    fn relative<'a>(&self, image: &'a Path) -> Option<&'a str> {
        let below = image
            .strip_prefix(&self.absolute)
            .or_else(|_| image.strip_prefix(&self.canonical));
        below.unwrap_or(image).to_str()
    }
}

fn image_column(folder: &Folder, posts: &[Post]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(list_item());
    for post in posts {
        for image in &post.images {
            let path = folder.relative(image);
            let path = path.expect("paths were checked before the first was written");
            lists.values().append_value(path);
        }
        lists.append(true);
    }
    Arc::new(lists.finish())
}
