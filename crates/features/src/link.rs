//! Links: which contents a post consists of. Parts of them are appended; the newest link of a post counts.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, FixedSizeBinaryBuilder, RecordBatch,
    StringArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::catalog::RELINK;
use crate::parts::Part;
use crate::{Error, Key};

/// The contents of one post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The post.
    pub post_id: String,
    /// Hash of everything that the link was computed from; as long as it stays, so does the link.
    pub source_key: Key,
    /// Key of the text.
    pub text_key: Key,
    /// Key of the text with the text found in the picture.
    pub text_ocr_key: Key,
    /// Key of the picture that is used; `None` when none can be.
    pub image_key: Option<Key>,
    /// Path of that picture, for people.
    pub image: Option<String>,
    /// Why no picture can be used.
    pub reason: Option<String>,
}

/// The newest link of each post.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Links(HashMap<String, Link>);

impl Links {
    /// The link of a post.
    pub fn get(&self, post_id: &str) -> Option<&Link> {
        self.0.get(post_id)
    }

    /// How many posts are linked.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no post is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All links, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.0.values()
    }

    /// Reads parts, oldest first.
    pub(crate) fn read(parts: &[Part]) -> Result<Self, Error> {
        let mut links = HashMap::new();
        for part in parts {
            for batch in read(part)? {
                let rows = Rows::of(&batch).map_err(|error| damaged(part, &error))?;
                links.extend((0..batch.num_rows()).map(|row| {
                    let link = rows.link(row);
                    (link.post_id.clone(), link)
                }));
            }
        }
        Ok(Self(links))
    }
}

/// The batches of a part.
pub(crate) fn read(part: &Part) -> Result<Vec<RecordBatch>, Error> {
    let bytes = part.read(RELINK)?;
    batches(bytes).map_err(|error| damaged(part, &error))
}

fn batches(bytes: Bytes) -> Result<Vec<RecordBatch>, ArrowError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()?;
    reader.collect()
}

pub(crate) fn damaged(part: &Part, error: &ArrowError) -> Error {
    part.damaged(error.to_string(), RELINK)
}

/// The columns of a batch.
pub(crate) struct Rows<'a> {
    post_id: &'a StringArray,
    source_key: &'a FixedSizeBinaryArray,
    text_key: &'a FixedSizeBinaryArray,
    text_ocr_key: &'a FixedSizeBinaryArray,
    image_key: &'a FixedSizeBinaryArray,
    image: &'a StringArray,
    reason: &'a StringArray,
}

impl<'a> Rows<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        if batch.schema().fields() != schema().fields() {
            let found = format!("columns {:?}", batch.schema().fields());
            return Err(ArrowError::SchemaError(found));
        }
        let strings = |column: usize| batch.column(column).as_string();
        let keys = |column: usize| batch.column(column).as_fixed_size_binary();
        Ok(Self {
            post_id: strings(0),
            source_key: keys(1),
            text_key: keys(2),
            text_ocr_key: keys(3),
            image_key: keys(4),
            image: strings(5),
            reason: strings(6),
        })
    }

    pub(crate) fn post_id(&self, row: usize) -> &'a str {
        self.post_id.value(row)
    }

    pub(crate) fn text_key(&self, row: usize) -> Key {
        key(self.text_key, row)
    }

    pub(crate) fn text_ocr_key(&self, row: usize) -> Key {
        key(self.text_ocr_key, row)
    }

    pub(crate) fn image_key(&self, row: usize) -> Option<Key> {
        let is_valid = self.image_key.is_valid(row);
        is_valid.then(|| key(self.image_key, row))
    }

    fn link(&self, row: usize) -> Link {
        let string = |strings: &StringArray| {
            let is_valid = strings.is_valid(row);
            is_valid.then(|| strings.value(row).to_owned())
        };
        Link {
            post_id: self.post_id(row).to_owned(),
            source_key: key(self.source_key, row),
            text_key: self.text_key(row),
            text_ocr_key: self.text_ocr_key(row),
            image_key: self.image_key(row),
            image: string(self.image),
            reason: string(self.reason),
        }
    }
}

fn key(keys: &FixedSizeBinaryArray, row: usize) -> Key {
    let bytes = keys.value(row).try_into();
    Key::from_bytes(bytes.expect("the schema was checked"))
}

/// The arrow schema of a part of links.
fn schema() -> Schema {
    let key = || DataType::FixedSizeBinary(Key::BYTES as i32);
    Schema::new(vec![
        Field::new("post_id", DataType::Utf8, false),
        Field::new("source_key", key(), false),
        Field::new("text_key", key(), false),
        Field::new("text_ocr_key", key(), false),
        Field::new("image_key", key(), true),
        Field::new("image", DataType::Utf8, true),
        Field::new("reason", DataType::Utf8, true),
    ])
}

/// The bytes of a part with these links.
pub(crate) fn to_bytes(links: &[Link]) -> Result<Vec<u8>, ArrowError> {
    let batch = to_batch(links)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(bytes)
}

fn to_batch(links: &[Link]) -> Result<RecordBatch, ArrowError> {
    let keys = |of: fn(&Link) -> Option<Key>| -> Result<ArrayRef, ArrowError> {
        let mut builder = FixedSizeBinaryBuilder::with_capacity(links.len(), Key::BYTES as i32);
        for link in links {
            match of(link) {
                Some(key) => builder.append_value(key.as_bytes())?,
                None => builder.append_null(),
            }
        }
        Ok(Arc::new(builder.finish()))
    };
    let strings = |of: fn(&Link) -> Option<&str>| -> ArrayRef {
        Arc::new(links.iter().map(of).collect::<StringArray>())
    };
    let columns = vec![
        strings(|link| Some(&link.post_id)),
        keys(|link| Some(link.source_key))?,
        keys(|link| Some(link.text_key))?,
        keys(|link| Some(link.text_ocr_key))?,
        keys(|link| link.image_key)?,
        strings(|link| link.image.as_deref()),
        strings(|link| link.reason.as_deref()),
    ];
    RecordBatch::try_new(Arc::new(schema()), columns)
}
