//! `mmfnd features export`: one table for data frames, with a map of the posts where one is asked for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use mmfnd_features::{Column, Features, Places, Store};
use mmfnd_posts::Post;

use crate::outputs::check_file;
use crate::show::count::count;
use crate::show::progress::Stage;

/// Writes the table and says what is in it.
pub(super) fn export(
    (store, posts): (&Path, &Path),
    projection: Option<&str>,
    out: &Path,
) -> anyhow::Result<String> {
    if out.extension().is_none_or(|ending| ending != "parquet") {
        bail!(
            "`{}` has another ending; `--out` takes a name that ends in `.parquet`",
            out.display()
        );
    }
    check_file(out, &[posts, store])?;
    let posts = mmfnd_posts::read_posts(posts)?;
    let store = Store::open(store)?;
    let places = projection
        .map(|encoder| places(&store, &posts, encoder))
        .transpose()?;
    let exported = store.export(&posts, places.as_ref(), out)?;
    let mut text = format!(
        "{} written to {}\n",
        count(exported.posts, "post"),
        out.display()
    );
    for (encoder, absent) in exported.absent.iter().filter(|(_, absent)| *absent > 0) {
        writeln!(text, "  {encoder}: null for {}", count(*absent, "post"))?;
    }
    Ok(text)
}

/// A place for each post by its features; posts of the same content have the same.
fn places(store: &Store, posts: &[Post], encoder: &str) -> anyhow::Result<Places> {
    let features = Features::load(store, posts, &[encoder])?;
    let column = features
        .column(encoder)
        .context("the encoder was just loaded")?;
    let rows: BTreeMap<u32, usize> = (column.row.iter().enumerate())
        .filter(|(_, row)| **row != Column::NONE)
        .map(|(post, row)| (*row, post))
        .collect();
    // of an encoder that keeps several layers the last one is what its owner would call its features
    let width = column.shape.last().copied().unwrap_or(1);
    let mut vectors = Vec::with_capacity(rows.len());
    for &post in rows.values() {
        let mut row = vec![0.0; column.width()];
        column.read_row(post, &mut row)?;
        vectors.push(row.split_off(row.len() - width));
    }
    let vectors: Vec<_> = vectors.iter().map(Vec::as_slice).collect();
    let stage = Stage::start("map", vectors.len() as u64);
    let Some(found) = mmfnd_report::map_of(&vectors) else {
        bail!(
            "{} have features of `{encoder}`, too few for a map",
            count(vectors.len(), "content")
        );
    };
    stage.finish(&format!(
        "{} by their features of {encoder}",
        count(vectors.len(), "content")
    ));
    let found: BTreeMap<_, _> = rows.keys().zip(found).collect();
    let place = |row: &u32| found.get(row).map(|(x, y)| [*x as f32, *y as f32]);
    Ok(column.row.iter().map(place).collect())
}
