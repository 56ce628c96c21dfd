//! What a store holds, counted.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use rayon::prelude::*;
use serde::Serialize;

use crate::catalog::REJECTS_FILE;
use crate::store::Table;
use crate::{EncoderSpec, Error, Input, Key, Link, Links, Store, plan, rejects, seal};

/// Counts of a store.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The folder.
    pub path: PathBuf,
    /// Version of its format.
    pub format: u32,
    /// Hash of its contents.
    pub fingerprint: String,
    /// Posts that are linked.
    pub posts: usize,
    /// Distinct texts.
    pub texts: usize,
    /// Distinct texts with the text found in the picture.
    pub texts_with_ocr: usize,
    /// Distinct pictures.
    pub pictures: usize,
    /// Posts without a usable picture.
    pub without_picture: usize,
    /// Contents that could not be encoded, as `rejects.csv` lists them.
    pub rejects: usize,
    /// Its encoders.
    pub encoders: Vec<EncoderReport>,
}

impl Inspection {
    /// Whether an encoder still lacks rows.
    pub fn is_unfinished(&self) -> bool {
        let mut encoders = self.encoders.iter();
        encoders.any(|encoder| encoder.missing > 0 || encoder.planned > 0)
    }
}

/// Counts of one encoder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EncoderReport {
    /// The encoder.
    #[serde(flatten)]
    pub spec: EncoderSpec,
    /// Distinct rows.
    pub rows: usize,
    /// Part files.
    pub parts: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Linked contents that have no row.
    pub missing: usize,
    /// Planned batches that are not done.
    pub planned: usize,
}

pub(crate) fn inspect(store: &Store) -> Result<Inspection, Error> {
    let links = Links::read(store.links())?;
    let count = |of: fn(&Link) -> Option<Key>| distinct(&links, of).len();
    let rejects = store.path().join(REJECTS_FILE);
    let rejects = match rejects.exists() {
        true => fs::read(&rejects).map_err(|source| Error::read(rejects, source))?,
        false => Vec::new(),
    };
    let encoders = store.tables().iter().map(|table| report(table, &links));
    Ok(Inspection {
        path: store.path().to_owned(),
        format: seal::FORMAT,
        fingerprint: store.fingerprint(),
        posts: links.len(),
        texts: count(|link| Some(link.text_key)),
        texts_with_ocr: count(|link| Some(link.text_ocr_key)),
        pictures: count(|link| link.image_key),
        without_picture: links.iter().filter(|link| link.image_key.is_none()).count(),
        rejects: rejects::count(&rejects),
        encoders: encoders.collect::<Result<_, _>>()?,
    })
}

fn distinct(links: &Links, of: fn(&Link) -> Option<Key>) -> HashSet<Key> {
    links.iter().filter_map(of).collect()
}

fn report(table: &Table, links: &Links) -> Result<EncoderReport, Error> {
    let spec = &table.file.encoder;
    let layouts = table.parts.par_iter().map(|part| table.layout(part));
    let layouts = layouts.collect::<Result<Vec<_>, _>>()?;
    let present: HashSet<Key> = layouts.into_iter().flat_map(|(_, keys)| keys).collect();
    let linked = match spec.input {
        Input::Text => distinct(links, |link| Some(link.text_key)),
        Input::TextOcr => distinct(links, |link| Some(link.text_ocr_key)),
        Input::Image => distinct(links, |link| link.image_key),
    };
    let plan = plan::read(&table.folder)?;
    let is_open = |batch: &&Vec<Key>| batch.iter().any(|key| !present.contains(key));
    let sizes = table.parts.iter().map(|part| {
        let metadata = fs::metadata(&part.path);
        let metadata = metadata.map_err(|source| Error::read(&part.path, source));
        metadata.map(|metadata| metadata.len())
    });
    Ok(EncoderReport {
        spec: spec.clone(),
        rows: present.len(),
        parts: table.parts.len(),
        bytes: sizes.sum::<Result<_, _>>()?,
        missing: linked.difference(&present).count(),
        planned: plan.iter().filter(is_open).count(),
    })
}
