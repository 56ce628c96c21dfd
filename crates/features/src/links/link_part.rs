//! Parts of links: a Parquet file each, a row per link. Parts are appended; the newest link of a post counts.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, FixedSizeBinaryBuilder, RecordBatch,
    StringArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use bytes::Bytes;
use mmfnd_posts::{rows_of, without_panic};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::link::{Link, PostKeys};
use crate::Error;
use crate::disk::part::Part;
use crate::disk::store_file::RELINK;
use crate::identity::Key;

/// Goes through the rows of parts, oldest first.
pub(crate) fn for_each(parts: &[Part], mut visit: impl FnMut(&Rows, usize)) -> Result<(), Error> {
    for part in parts {
        for batch in read(part)? {
            let rows = Rows::of(&batch).map_err(|error| damaged(part, &error))?;
            (0..batch.num_rows()).for_each(|row| visit(&rows, row));
        }
    }
    Ok(())
}

/// The batches of a part.
pub(crate) fn read(part: &Part) -> Result<Vec<RecordBatch>, Error> {
    let bytes = part.read(RELINK)?;
    batches(bytes).map_err(|error| damaged(part, &error))
}

fn batches(bytes: Bytes) -> Result<Vec<RecordBatch>, ArrowError> {
    without_panic(|| rows_of(bytes)?.build()?.collect())
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

    pub(crate) fn source_key(&self, row: usize) -> Key {
        key(self.source_key, row)
    }

    pub(crate) fn keys(&self, row: usize) -> PostKeys {
        PostKeys {
            text: key(self.text_key, row),
            text_ocr: key(self.text_ocr_key, row),
            image: self.image_key(row),
        }
    }

    pub(crate) fn image_key(&self, row: usize) -> Option<Key> {
        let is_valid = self.image_key.is_valid(row);
        is_valid.then(|| key(self.image_key, row))
    }

    pub(super) fn link(&self, row: usize) -> Link {
        let string = |strings: &StringArray| {
            let is_valid = strings.is_valid(row);
            is_valid.then(|| strings.value(row).to_owned())
        };
        Link {
            post_id: self.post_id(row).to_owned(),
            source_key: self.source_key(row),
            text_key: key(self.text_key, row),
            text_ocr_key: key(self.text_ocr_key, row),
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
