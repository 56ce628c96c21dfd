//! What a store holds, counted.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rayon::prelude::*;
use serde::Serialize;

use super::path::as_text;

use crate::Error;
use crate::disk::part::Part;
use crate::disk::sealed_json;
use crate::disk::store_file::REJECTS_FILE;
use crate::identity::{EncoderSpec, Input, Key, KeySet, Shard};
use crate::links::{Target, rejects};
use crate::read::Store;
use crate::table::{EncoderTable, plan};

/// Counts of a store.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The folder.
    #[serde(serialize_with = "as_text")]
    pub path: PathBuf,
    /// Version of its format.
    pub format: u32,
    /// Hash of its contents.
    pub fingerprint: String,
    /// Which part of the work it holds, where it is not the whole.
    pub shard: Option<Shard>,
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
    /// How many parts whom made: provider and precision, runtime and processor. Parts of versions that did not record
    /// it are the encoder's first maker's.
    pub made_by: BTreeMap<String, usize>,
    /// Their bytes.
    pub bytes: u64,
    /// Seconds that their encoding took, on all machines together; those that earlier versions made are not in it.
    pub seconds: f64,
    /// Linked contents that have no row.
    pub missing: usize,
    /// Planned batches that are not done.
    pub planned: usize,
}

impl Store {
    /// What the store holds, counted.
    pub fn inspect(&self) -> Result<Inspection, Error> {
        let links = Target::read(self.links())?;
        let count = |input| distinct(&links, input).len();
        let rejects = self.path().join(REJECTS_FILE);
        let rejects = match rejects.exists() {
            true => fs::read(&rejects).map_err(|source| Error::read(rejects, source))?,
            false => Vec::new(),
        };
        let encoders = self.tables().iter().map(|table| report(table, &links));
        Ok(Inspection {
            path: self.path().to_owned(),
            format: sealed_json::FORMAT,
            fingerprint: self.fingerprint(),
            shard: self.shard(),
            posts: links.len(),
            texts: count(Input::Text),
            texts_with_ocr: count(Input::TextOcr),
            pictures: count(Input::Image),
            without_picture: links
                .iter()
                .filter(|link| link.keys.image.is_none())
                .count(),
            rejects: rejects::count(&rejects),
            encoders: encoders.collect::<Result<_, _>>()?,
        })
    }
}

fn distinct(links: &[Target], input: Input) -> KeySet {
    let keys: Vec<Key> = links
        .iter()
        .filter_map(|link| link.keys.of(input))
        .collect();
    keys.into()
}

fn report(table: &EncoderTable, links: &[Target]) -> Result<EncoderReport, Error> {
    let spec = &table.file.encoder;
    let layouts = table.parts.par_iter().map(|part| table.layout(part));
    let layouts = layouts.collect::<Result<Vec<_>, _>>()?;
    let mut made_by = BTreeMap::new();
    for (layout, _) in &layouts {
        *made_by.entry(layout.maker().to_string()).or_default() += 1;
    }
    let present: Vec<Key> = layouts.into_iter().flat_map(|(_, keys)| keys).collect();
    let present = KeySet::from(present);
    let linked = distinct(links, spec.input);
    let plan = plan::read(&table.folder)?;
    let is_open = |batch: &&Vec<Key>| batch.iter().any(|key| !present.contains(key));
    let sizes = table.parts.iter().map(Part::bytes);
    Ok(EncoderReport {
        spec: spec.clone(),
        rows: present.len(),
        parts: table.parts.len(),
        made_by,
        bytes: sizes.sum::<Result<_, _>>()?,
        seconds: table.file.seconds,
        missing: linked.iter().filter(|key| !present.contains(key)).count(),
        planned: plan.iter().filter(is_open).count(),
    })
}
