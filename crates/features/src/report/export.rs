//! One table for people who work with data frames: a row per post, a column per encoder, written group by group so
//! that memory stays bounded.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeListArray, Float32Array, Int8Array, ListArray, RecordBatch, StringArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Schema};
use mmfnd_posts::{Post, atomic, io_error};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::ChunkReader;
use rayon::prelude::*;

use crate::Error;
use crate::disk::part::Part;
use crate::identity::Key;
use crate::links::PostKeys;
use crate::read::{Store, require};
use crate::table::layout::{Fault, Layout};
use crate::table::values::wrong_value;
use crate::table::{EncoderTable, Values};

/// Bytes of values in a row group, about.
const GROUP_BYTES: usize = 32 << 20;

/// A place for each post on a map of them; none for a post without the features that the map is made of.
pub type Places = Vec<Option<[f32; 2]>>;

/// What was exported.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// Rows.
    pub posts: usize,
    /// Of each encoder its name and how many posts have no value.
    pub absent: Vec<(String, usize)>,
}

impl Store {
    /// Writes one Parquet file with a row per post and a column per encoder, for people who work with data frames.
    /// With places there are also the columns `text`, `image`, `x` and `y`, for programs that show a map.
    ///
    /// # Panics
    /// When there are places, and not as many as posts.
    pub fn export(
        &self,
        posts: &[Post],
        places: Option<&Places>,
        out: &Path,
    ) -> Result<Exported, Error> {
        assert!(places.is_none_or(|places| places.len() == posts.len()));
        let specs = self.encoders();
        let inputs: Vec<_> = specs.iter().map(|spec| spec.input).collect();
        let keys = require(self, posts, &inputs)?;
        let tables = self.tables().iter().map(Index::of);
        let tables = tables.collect::<Result<Vec<_>, _>>()?;
        let row_bytes: usize = specs.iter().map(|spec| 4 * spec.width()).sum();
        let group = (GROUP_BYTES / row_bytes.max(1)).clamp(1, 8192);
        let mut failure = None;
        let written = atomic::write(out, |file| {
            let mut writer = writer(file, &schema(&tables, places.is_some()))?;
            for (index, (posts, keys)) in posts.chunks(group).zip(keys.chunks(group)).enumerate() {
                let places = places.map(|places| &places[index * group..][..posts.len()]);
                let batch = match batch(&tables, posts, keys, places) {
                    Ok(batch) => batch,
                    Err(error) => {
                        failure = Some(error);
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                };
                writer
                    .write(&batch)
                    .and_then(|()| writer.flush())
                    .map_err(io_error)?;
            }
            writer.close().map(|_| ()).map_err(io_error)
        });
        failure.map_or(Ok(()), Err)?;
        written?;
        Ok(Exported {
            posts: posts.len(),
            absent: tables.iter().map(|table| table.absent(&keys)).collect(),
        })
    }
}

/// Where the rows of an encoder lie on the disk.
struct Index<'a> {
    table: &'a EncoderTable,
    layouts: Vec<Layout>,
    rows: HashMap<Key, (usize, usize)>,
}

impl<'a> Index<'a> {
    fn of(table: &'a EncoderTable) -> Result<Self, Error> {
        let read = |part: &Part| {
            let bytes = part.read(&table.remedy())?;
            let unusable = |fault: Fault| fault.of(part, &table.remedy());
            let layout = Layout::of(&bytes, &table.file.encoder).map_err(unusable)?;
            let keys = layout.keys(&bytes).map_err(unusable)?;
            Ok((layout, keys))
        };
        let parts = table
            .parts
            .par_iter()
            .map(read)
            .collect::<Result<Vec<_>, Error>>()?;
        let mut rows = HashMap::new();
        let mut layouts = Vec::with_capacity(parts.len());
        for (part, (layout, keys)) in parts.into_iter().enumerate() {
            for (row, key) in keys.into_iter().enumerate() {
                rows.entry(key).or_insert((part, row));
            }
            layouts.push(layout);
        }
        Ok(Self {
            table,
            layouts,
            rows,
        })
    }

    fn find(&self, keys: &PostKeys) -> Option<(Key, usize, usize)> {
        let key = keys.of(self.table.file.encoder.input)?;
        let &(part, row) = self.rows.get(&key)?;
        Some((key, part, row))
    }

    /// Its name and how many posts have no row.
    fn absent(&self, keys: &[PostKeys]) -> (String, usize) {
        let absent = keys.iter().filter(|keys| self.find(keys).is_none());
        (self.table.file.encoder.name.clone(), absent.count())
    }

    fn column(&self, keys: &[PostKeys]) -> Result<ArrayRef, Error> {
        let spec = &self.table.file.encoder;
        let found: Vec<_> = keys.iter().map(|keys| self.find(keys)).collect();
        let lengths = found.iter().map(|found| match found {
            Some((_, part, row)) => self.layouts[*part].row_bytes(*row) / spec.value_type.bytes(),
            None if spec.ragged => 0,
            None => spec.width(),
        });
        let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
        let starts: &[i32] = &offsets;
        let length = starts[keys.len()] as usize;
        let mut values = Values::zeros(spec.value_type, length);
        let mut target = values.split_mut(&[length]);
        let wanted = found.iter().enumerate();
        let mut wanted: Vec<_> = wanted
            .filter_map(|(post, found)| Some((post, (*found)?)))
            .collect();
        wanted.sort_unstable_by_key(|&(_, (_, part, row))| (part, row));
        for same_part in wanted.chunk_by(|(_, a), (_, b)| a.1 == b.1) {
            let part = same_part[0].1.1;
            let path = &self.table.parts[part].path;
            let file = File::open(path).map_err(|source| Error::read(path, source))?;
            for &(post, (key, _, row)) in same_part {
                let range = self.layouts[part].row(row);
                let bytes = file.get_bytes(range.start as u64, range.len());
                let bytes = bytes.map_err(|source| Error::read(path, io::Error::other(source)))?;
                target[0]
                    .fill(starts[post] as usize, &bytes)
                    .map_err(|(index, value)| {
                        let problem = format!(
                            "is no number, in `{}`; {}",
                            path.display(),
                            self.table.remedy()
                        );
                        wrong_value(spec, key, index, value, &problem)
                    })?;
            }
        }
        let present = found.iter().map(Option::is_some).collect();
        Ok(self.list(&values, offsets.clone(), present))
    }

    fn list(&self, values: &Values, offsets: OffsetBuffer<i32>, present: NullBuffer) -> ArrayRef {
        let mut floats = vec![0.0; values.len()];
        values.copy_to(0, &mut floats);
        let floats = Arc::new(Float32Array::from(floats));
        let fits = "the lengths fit";
        match self.data_type() {
            DataType::FixedSizeList(item, size) => {
                let list = FixedSizeListArray::try_new(item, size, floats, Some(present));
                Arc::new(list.expect(fits))
            }
            DataType::List(item) => {
                let list = ListArray::try_new(item, offsets, floats, Some(present));
                Arc::new(list.expect(fits))
            }
            _ => unreachable!("the type of a column is a list"),
        }
    }

    fn data_type(&self) -> DataType {
        if self.table.file.encoder.ragged {
            return DataType::new_list(DataType::Float32, false);
        }
        let width = i32::try_from(self.table.file.encoder.width());
        let width = width.expect("checked when the encoder was added");
        DataType::new_fixed_size_list(DataType::Float32, width, false)
    }
}

fn schema(tables: &[Index], has_places: bool) -> Schema {
    let mut fields = vec![
        Field::new("post_id", DataType::Utf8, false),
        Field::new("label", DataType::Int8, true),
        Field::new("split", DataType::Utf8, false),
    ];
    if has_places {
        let names = [
            ("text", DataType::Utf8),
            ("image", DataType::Utf8),
            ("x", DataType::Float32),
            ("y", DataType::Float32),
        ];
        fields.extend(names.map(|(name, kind)| Field::new(name, kind, true)));
    }
    fields.extend(tables.iter().map(|index| {
        let name = index.table.file.encoder.name.as_str();
        Field::new(name, index.data_type(), true)
    }));
    Schema::new(fields)
}

fn batch(
    tables: &[Index],
    posts: &[Post],
    keys: &[PostKeys],
    places: Option<&[Option<[f32; 2]>]>,
) -> Result<RecordBatch, Error> {
    let ids: StringArray = posts.iter().map(|post| Some(post.id.as_str())).collect();
    let label = |post: &Post| post.label.map(|label| label.index() as i8);
    let labels: Int8Array = posts.iter().map(label).collect();
    let splits: StringArray = posts
        .iter()
        .map(|post| Some(post.split.to_string()))
        .collect();
    let mut columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(labels), Arc::new(splits)];
    if let Some(places) = places {
        let texts: StringArray = posts.iter().map(|post| Some(post.text.as_str())).collect();
        let image = |post: &Post| post.images.first().map(|path| path.display().to_string());
        let images: StringArray = posts.iter().map(image).collect();
        let axis = |axis: usize| -> ArrayRef {
            let values = places.iter().map(|place| place.map(|place| place[axis]));
            Arc::new(values.collect::<Float32Array>())
        };
        columns.extend([
            Arc::new(texts) as ArrayRef,
            Arc::new(images),
            axis(0),
            axis(1),
        ]);
    }
    for table in tables {
        columns.push(table.column(keys)?);
    }
    let batch = RecordBatch::try_new(Arc::new(schema(tables, places.is_some())), columns);
    Ok(batch.expect("the schema is made from the same tables"))
}

fn writer<'a>(
    file: &'a mut BufWriter<File>,
    schema: &Schema,
) -> io::Result<ArrowWriter<&'a mut BufWriter<File>>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .build();
    ArrowWriter::try_new(file, Arc::new(schema.clone()), Some(properties)).map_err(io_error)
}
