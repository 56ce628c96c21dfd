//! Links: which contents a post consists of. Parts of them are appended; the newest link of a post counts.

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

use crate::disk::catalog::RELINK;
use crate::disk::part::Part;
use crate::{Error, Input, Key};

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

impl Link {
    /// Hash of all that it says.
    fn digest(&self) -> Key {
        let image = self
            .image_key
            .map_or([0; Key::BYTES], |key| *key.as_bytes());
        let keys = [self.source_key, self.text_key, self.text_ocr_key];
        let mut bytes: Vec<u8> = keys.iter().flat_map(|key| *key.as_bytes()).collect();
        bytes.push(u8::from(self.image_key.is_some()));
        bytes.extend(image);
        for text in [&self.image, &self.reason] {
            // Its length first, so that no two links are written the same.
            let length = text.as_ref().map_or(u64::MAX, |text| text.len() as u64);
            bytes.extend(length.to_le_bytes());
            bytes.extend(text.iter().flat_map(|text| text.bytes()));
        }
        Key::of(&bytes)
    }
}

/// The newest link of each post, as hashes: 32 bytes a post.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Links(Vec<(Key, Key)>);

impl Links {
    /// Whether this is the newest link of its post.
    pub fn has(&self, link: &Link) -> bool {
        self.find(&link.post_id)
            .is_some_and(|digest| digest == link.digest())
    }

    /// Whether the post is linked.
    pub fn knows(&self, post_id: &str) -> bool {
        self.find(post_id).is_some()
    }

    fn find(&self, post_id: &str) -> Option<Key> {
        let id = Key::of(post_id.as_bytes());
        let index = self.0.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.0[index].1)
    }

    /// How many posts are linked.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no post is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(Key, Key)>()
    }

    /// Reads parts, oldest first.
    pub(crate) fn read(parts: &[Part]) -> Result<Self, Error> {
        let mut links = Vec::new();
        for_each(parts, |rows, row| {
            let link = rows.link(row);
            links.push((Key::of(link.post_id.as_bytes()), link.digest()));
        })?;
        Ok(Self(newest(links, |(id, _)| *id)))
    }
}

/// What the newest link of a post points to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Target {
    /// Hash of the post's id.
    pub(crate) post: Key,
    /// What the link was computed from.
    pub(crate) source: Key,
    text: Key,
    text_ocr: Key,
    image: Option<Key>,
}

impl Target {
    /// Of each post that the parts link, sorted by `post`.
    pub(crate) fn read(parts: &[Part]) -> Result<Vec<Self>, Error> {
        let mut targets = Vec::new();
        for_each(parts, |rows, row| {
            targets.push(Self {
                post: Key::of(rows.post_id(row).as_bytes()),
                source: key(rows.source_key, row),
                text: rows.text_key(row),
                text_ocr: rows.text_ocr_key(row),
                image: rows.image_key(row),
            });
        })?;
        Ok(newest(targets, |target| target.post))
    }

    /// The key of the content that an encoder with this input sees.
    pub(crate) fn of(&self, input: Input) -> Option<Key> {
        match input {
            Input::Text => Some(self.text),
            Input::TextOcr => Some(self.text_ocr),
            Input::Image => self.image,
        }
    }
}

/// The last of each id, sorted by it.
fn newest<T>(mut entries: Vec<T>, id: impl Fn(&T) -> Key) -> Vec<T> {
    entries.reverse();
    entries.sort_by_key(&id);
    entries.dedup_by_key(|entry| id(entry));
    entries.shrink_to_fit();
    entries
}

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
