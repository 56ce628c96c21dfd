//! Loading: the features of some posts in memory, each distinct row once, at the precision at which it is stored.

use std::collections::HashMap;
use std::path::PathBuf;

use mmfnd_posts::Post;
use rayon::prelude::*;

use crate::layout::Layout;
use crate::parts::Part;
use crate::posts_links::{PostKeys, refuse, require};
use crate::store::Table;
use crate::values::{ValuesMut, wrong_value};
use crate::{Column, EncoderSpec, Error, Input, Key, Store, Values};

/// Features of posts, a column per encoder.
#[derive(Clone, Debug)]
pub struct Features {
    /// The encoders.
    pub specs: Vec<EncoderSpec>,
    /// Their columns, in the same order.
    pub columns: Vec<Column>,
    /// Key of each post's picture; `None` where none could be used.
    pub image_key: Vec<Option<Key>>,
    /// The classification layer that comes with each encoder, where one does.
    pub classifiers: Vec<Option<PathBuf>>,
}

impl Features {
    /// Loads the features of `posts` from the named encoders.
    pub fn load(store: &Store, posts: &[Post], encoders: &[&str]) -> Result<Self, Error> {
        let tables = encoders.iter().map(|name| store.table(name));
        let tables = tables.collect::<Result<Vec<_>, _>>()?;
        let specs: Vec<_> = tables
            .iter()
            .map(|table| table.file.encoder.clone())
            .collect();
        let inputs: Vec<_> = specs.iter().map(|spec| spec.input).collect();
        let keys = require(store, posts, &inputs)?;
        let columns = tables
            .iter()
            .map(|table| column(store, table, posts, &keys));
        let classifiers = tables.iter().map(|table| table.classifier());
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
            image_key: keys.iter().map(|keys| keys.image).collect(),
            classifiers: classifiers.collect::<Result<_, _>>()?,
            specs,
        })
    }

    /// The column of an encoder.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let index = self.specs.iter().position(|spec| spec.name == name)?;
        Some(&self.columns[index])
    }
}

/// Loads one encoder's column.
fn column(
    store: &Store,
    table: &Table,
    posts: &[Post],
    keys: &[PostKeys],
) -> Result<Column, Error> {
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
    Ok(Column {
        shape: spec.shape.clone(),
        values: read(table, &sources)?,
        row,
    })
}

/// The rows of one part that are taken.
struct Source<'a> {
    part: &'a Part,
    layout: Layout,
    rows: Vec<usize>,
}

/// Gives each wanted key the number of its row in memory: parts in their order, rows in theirs. A key that stands twice is taken where it stands first.
fn assign<'a>(table: &'a Table, wanted: &mut HashMap<Key, u32>) -> Result<Vec<Source<'a>>, Error> {
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
                rows.push(row);
            }
        }
        if !rows.is_empty() {
            sources.push(Source { part, layout, rows });
        }
    }
    Ok(sources)
}

fn read(table: &Table, sources: &[Source]) -> Result<Values, Error> {
    let spec = &table.file.encoder;
    let width = spec.width();
    let lengths = sources.iter().map(|source| source.rows.len() * width);
    let lengths: Vec<_> = lengths.collect();
    let mut values = Values::zeros(spec.value_type, lengths.iter().sum());
    let targets = values.split_mut(&lengths).into_par_iter().zip(sources);
    targets.try_for_each_init(Vec::new, |buffer, (mut target, source)| {
        source.part.read_into(buffer, &table.remedy())?;
        fill(table, source, buffer, &mut target)
    })?;
    Ok(values)
}

fn fill(table: &Table, source: &Source, bytes: &[u8], target: &mut ValuesMut) -> Result<(), Error> {
    let spec = &table.file.encoder;
    for (number, &row) in source.rows.iter().enumerate() {
        let filled = target.fill(number * spec.width(), &bytes[source.layout.row(row)]);
        let Err((index, value)) = filled else {
            continue;
        };
        let (_, keys) = table.layout(source.part)?;
        let path = source.part.path.display();
        let problem = format!("is no number, in `{path}`; {}", table.remedy());
        return Err(wrong_value(spec, keys[row], index, value, &problem));
    }
    Ok(())
}
