//! Loading: the features of some posts in memory, each distinct row once, at the precision at which it is stored.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use mmfnd_posts::Post;
use rayon::prelude::*;

use super::column::{Column, ColumnValues};
use super::disk_rows::DiskRows;
use super::post_keys::{refuse, require};
use super::store::Store;
use crate::Error;
use crate::disk::part::{self, Part};
use crate::identity::{EncoderSpec, Input, Key};
use crate::links::PostKeys;
use crate::table::layout::Layout;
use crate::table::values::{ValuesMut, wrong_value};
use crate::table::{EncoderTable, Values};

/// Features of posts, a column per encoder.
#[derive(Clone, Debug)]
pub struct Features {
    /// The encoders.
    pub specs: Vec<EncoderSpec>,
    /// Seconds that the encoding of all rows in the store took, where it is known.
    pub encoding_seconds: BTreeMap<String, f64>,
    /// Their columns, in the same order.
    pub columns: Vec<Column>,
    /// Key of each post's picture; `None` where none could be used.
    pub image_key: Vec<Option<Key>>,
    /// Whether an encoder saw the text in the picture behind that of some post; `None` without an encoder that would.
    pub with_ocr: Option<bool>,
    /// The classification layer that comes with each encoder, where one does.
    pub classifiers: Vec<Option<PathBuf>>,
}

impl Features {
    /// Loads the features of `posts` from the named encoders.
    pub fn load(store: &Store, posts: &[Post], encoders: &[&str]) -> Result<Self, Error> {
        Self::load_within(store, posts, encoders, u64::MAX)
    }

    /// As [`Features::load`], with at most `budget` bytes of values in memory: columns that do not fit any more, the
    /// smaller ones first, stay on the disk and are read row by row.
    pub fn load_within(
        store: &Store,
        posts: &[Post],
        encoders: &[&str],
        budget: u64,
    ) -> Result<Self, Error> {
        let tables = encoders.iter().map(|name| store.table(name));
        let tables = tables.collect::<Result<Vec<_>, _>>()?;
        let specs: Vec<_> = tables
            .iter()
            .map(|table| table.file.encoder.clone())
            .collect();
        let files = tables.iter().map(|table| &table.file);
        let encoding_seconds = files
            .filter(|file| file.seconds > 0.0)
            .map(|file| (file.encoder.name.clone(), file.seconds));
        let inputs: Vec<_> = specs.iter().map(|spec| spec.input).collect();
        let keys = require(store, posts, &inputs)?;
        let found = tables.iter().map(|table| find(store, table, posts, &keys));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let is_kept = fitting(&found, budget);
        let columns = found.into_iter().zip(is_kept);
        let columns = columns.map(|(found, is_kept)| {
            let input = found.table.file.encoder.input;
            let column = found.column(is_kept);
            column.map_err(|error| name_post(error, posts, &keys, input))
        });
        let classifiers = tables.iter().map(|table| table.classifier());
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
            image_key: keys.iter().map(|keys| keys.image).collect(),
            with_ocr: (inputs.contains(&Input::TextOcr))
                .then(|| keys.iter().any(PostKeys::has_ocr)),
            classifiers: classifiers.collect::<Result<_, _>>()?,
            encoding_seconds: encoding_seconds.collect(),
            specs,
        })
    }

    /// The column of an encoder.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let index = self.specs.iter().position(|spec| spec.name == name)?;
        Some(&self.columns[index])
    }
}

/// Where the rows of one encoder's column are.
struct Found<'a> {
    table: &'a EncoderTable,
    sources: Vec<Source<'a>>,
    row: Vec<u32>,
}

/// The rows of one part that are taken.
struct Source<'a> {
    part: &'a Part,
    layout: Layout,
    rows: Vec<u32>,
}

impl Source<'_> {
    /// Bytes of each of its rows.
    fn bytes(&self) -> impl Iterator<Item = usize> {
        let rows = self.rows.iter();
        rows.map(|&row| self.layout.row_bytes(row as usize))
    }
}

impl Found<'_> {
    /// Bytes of its values.
    fn bytes(&self) -> u64 {
        let bytes = self
            .sources
            .iter()
            .map(|source| source.bytes().sum::<usize>());
        bytes.sum::<usize>() as u64
    }

    /// Where the values of each row begin, and the last one's end, of a ragged encoder.
    fn starts(&self) -> Vec<usize> {
        let spec = &self.table.file.encoder;
        if !spec.ragged {
            return Vec::new();
        }
        let bytes = self.sources.iter().flat_map(Source::bytes);
        let ends = bytes.scan(0, |end, bytes| {
            *end += bytes / spec.value_type.bytes();
            Some(*end)
        });
        [0].into_iter().chain(ends).collect()
    }

    fn column(self, is_in_memory: bool) -> Result<Column, Error> {
        let starts = self.starts();
        let values = match is_in_memory {
            true => ColumnValues::Memory(read(self.table, &self.sources)?),
            false => {
                // Every byte is compared once, as it is when rows are loaded.
                let parts: Vec<Part> = self.sources.iter().map(|s| s.part.clone()).collect();
                part::check(&parts, &self.table.remedy())?;
                let sources = self.sources.into_iter();
                let sources = sources.map(|source| (source.part, source.layout, source.rows));
                ColumnValues::Disk(Arc::new(DiskRows::of(self.table, sources.collect())?))
            }
        };
        Ok(Column {
            shape: self.table.file.encoder.shape.clone(),
            values,
            row: self.row,
            starts,
        })
    }
}

/// Adds to a wrong value the first post that it belongs to.
fn name_post(error: Error, posts: &[Post], keys: &[PostKeys], input: Input) -> Error {
    let Error::Value { key, .. } = &error else {
        return error;
    };
    let is_of = |keys: &PostKeys| keys.of(input) == Some(*key);
    match keys.iter().position(is_of) {
        Some(index) => error.of_post(index, &posts[index].id),
        None => error,
    }
}

/// Which columns are held in memory: as many as the budget allows, the smaller ones first.
fn fitting(found: &[Found], budget: u64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|&index| found[index].bytes());
    let mut left = budget;
    let mut is_kept = vec![false; found.len()];
    for index in order {
        let Some(rest) = left.checked_sub(found[index].bytes()) else {
            break;
        };
        left = rest;
        is_kept[index] = true;
    }
    is_kept
}

/// Finds the rows of one encoder's column.
fn find<'a>(
    store: &Store,
    table: &'a EncoderTable,
    posts: &[Post],
    keys: &[PostKeys],
) -> Result<Found<'a>, Error> {
    let spec = &table.file.encoder;
    let wanted = keys.iter().filter_map(|keys| keys.of(spec.input));
    let mut rows: HashMap<Key, u32> = wanted.map(|key| (key, Column::NONE)).collect();
    let sources = assign(table, &mut rows)?;
    let row_of = |keys: &PostKeys| keys.of(spec.input).map_or(Column::NONE, |key| rows[&key]);
    let row: Vec<_> = keys.iter().map(row_of).collect();
    let absent = |index: &usize| {
        row[*index] == Column::NONE && (spec.input != Input::Image || keys[*index].image.is_some())
    };
    let mut absent = (0..posts.len()).filter(absent).peekable();
    if absent.peek().is_some() {
        // A key that was damaged is no key that was never there.
        table.check_parts()?;
    }
    let absent = absent.map(|index| &posts[index]);
    let state = format!("without features of `{}` in", spec.name);
    refuse(store, absent, &state)?;
    Ok(Found {
        table,
        sources,
        row,
    })
}

/// Gives each wanted key the number of its row in memory: parts in their order, rows in theirs. A key that stands
/// twice is taken where it stands first.
fn assign<'a>(
    table: &'a EncoderTable,
    wanted: &mut HashMap<Key, u32>,
) -> Result<Vec<Source<'a>>, Error> {
    let opened = table.parts.par_iter().map(|part| table.layout(part));
    let opened: Vec<_> = opened.collect::<Result<_, _>>()?;
    let mut next = 0;
    let mut sources = Vec::new();
    for (part, (layout, keys)) in table.parts.iter().zip(opened) {
        let mut rows = Vec::new();
        for (row, key) in keys.iter().enumerate() {
            if let Some(number @ &mut Column::NONE) = wanted.get_mut(key) {
                *number = next;
                next += 1;
                rows.push(row as u32);
            }
        }
        if !rows.is_empty() {
            sources.push(Source { part, layout, rows });
        }
    }
    Ok(sources)
}

fn read(table: &EncoderTable, sources: &[Source]) -> Result<Values, Error> {
    let spec = &table.file.encoder;
    let bytes = spec.value_type.bytes();
    let lengths = sources
        .iter()
        .map(|source| source.bytes().sum::<usize>() / bytes);
    let lengths: Vec<_> = lengths.collect();
    let mut values = Values::zeros(spec.value_type, lengths.iter().sum());
    let targets = values.split_mut(&lengths).into_par_iter().zip(sources);
    targets.try_for_each_init(Vec::new, |buffer, (mut target, source)| {
        source.part.read_into(buffer, &table.remedy())?;
        fill(table, source, buffer, &mut target)
    })?;
    Ok(values)
}

fn fill(
    table: &EncoderTable,
    source: &Source,
    bytes: &[u8],
    target: &mut ValuesMut,
) -> Result<(), Error> {
    let spec = &table.file.encoder;
    let mut start = 0;
    for &row in &source.rows {
        let filled = target.fill(start, &bytes[source.layout.row(row as usize)]);
        start += source.layout.row_bytes(row as usize) / spec.value_type.bytes();
        let Err((index, value)) = filled else {
            continue;
        };
        let (_, keys) = table.layout(source.part)?;
        let path = source.part.path.display();
        let problem = format!("is no number, in `{path}`; {}", table.remedy());
        return Err(wrong_value(
            spec,
            keys[row as usize],
            index,
            value,
            &problem,
        ));
    }
    Ok(())
}
