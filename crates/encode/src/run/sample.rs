//! Encodes some rows of a store again and says how far they are from what is stored.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use mmfnd_features::{EncoderSpec, Input, Key, Precision, Store, TableReader, ValueType};
use mmfnd_pictures::Picture;
use mmfnd_posts::Post;
use rayon::prelude::*;

use super::identity::explained;
use crate::encoder::Encoders;
use crate::error::Error;
use crate::onnx::FromPreset;
use crate::options::Options;
use crate::preset::Preset;

/// Files that are hashed before it is asked whether all wanted ones are found.
const CHUNK: usize = 256;

/// Which rows are encoded again.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// How many of each encoder; fewer where the store holds fewer.
    pub rows: usize,
    /// Other rows with another seed.
    pub seed: u64,
}

/// How far a row may be from what another run of the same encoder gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Least cosine.
    pub cosine: f64,
    /// Largest difference of two values, as a share of the row's largest absolute value.
    pub difference: f64,
}

impl Limit {
    /// By the precision of the arithmetic and of the stored values; `docs/formats.md` lists them.
    pub fn of(spec: &EncoderSpec) -> Self {
        let (cosine, arithmetic) = match spec.precision {
            Precision::F32 => (0.99999, 1e-3),
            Precision::F16 => (0.999, 2e-2),
            Precision::Bf16 => (0.9995, 5e-2),
            Precision::Int8 => (0.98, 0.25),
        };
        let rounding = match spec.value_type {
            ValueType::F32 => 0.0,
            ValueType::F16 => f64::from(half::f16::EPSILON) / 2.0,
        };
        let difference = arithmetic + rounding;
        Self { cosine, difference }
    }
}

/// What came of one encoder's rows.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// Name of the encoder.
    pub name: String,
    /// Rows that the store holds.
    pub rows: usize,
    /// Rows that were encoded again.
    pub compared: usize,
    /// Rows that were drawn but whose content none of the posts has, or has no more.
    pub absent: Vec<Key>,
    /// Lowest cosine of a stored and a new row; 1 when none was compared.
    pub cosine: f64,
    /// Largest difference of a stored and a new value.
    pub difference: f64,
    /// The same as a share of the row's largest absolute value.
    pub relative: f64,
    /// What is allowed.
    pub limit: Limit,
    /// The content that is farthest off, for people.
    pub worst: String,
}

impl Sampled {
    /// What is wrong, if anything.
    pub fn problem(&self) -> Option<String> {
        if self.compared == 0 {
            let why = match self.rows {
                0 => "it has no rows",
                _ => {
                    "none of the posts has the content of a row that was drawn; give the posts that were encoded"
                }
            };
            return Some(format!("`{}` could not be checked: {why}", self.name));
        }
        let is_far = self.cosine < self.limit.cosine || self.relative > self.limit.difference;
        is_far.then(|| {
            format!(
                "`{}` is not what its encoder gives now, at worst for {}: cosine {:.6} (at least {}), largest difference {:.2e} of the row's largest value (at most {:.2e}); \
                 encode it again with `mmfnd encode … --replace {}`",
                self.name, self.worst, self.cosine, self.limit.cosine, self.relative, self.limit.difference, self.name
            )
        })
    }
}

/// Encodes a sample of rows of each encoder that store and preset share.
pub fn check_sample(
    posts: &[Post],
    preset: &Preset,
    store: &Path,
    options: &Options,
    sample: Sample,
) -> Result<Vec<Sampled>, Error> {
    let opened = Store::open(store)?;
    let preset = preset.in_precision_of(opened.encoders());
    let encoders = FromPreset::new(&preset, store, options);
    check_sample_with(posts, &encoders, &opened, sample)
}

/// As [`check_sample`], with encoders from anywhere. A stored encoder that is not the one offered is an error, and so
/// is one that is not offered at all.
pub fn check_sample_with(
    posts: &[Post],
    encoders: &dyn Encoders,
    store: &Store,
    sample: Sample,
) -> Result<Vec<Sampled>, Error> {
    let mut pairs = Vec::new();
    for stored in store.encoders() {
        let mut offered = encoders.features().into_iter();
        let offered = offered.find(|(_, spec)| spec.name == stored.name);
        let (number, spec) = offered.ok_or_else(|| Error::UnknownEncoder {
            name: stored.name.clone(),
            known: names(encoders.specs()),
        })?;
        let same = store.require_same(spec);
        same.map_err(|error| explained(error, (encoders, number), store.path()))?;
        pairs.push((TableReader::open(store, &stored.name)?, number));
    }
    let drawn: Vec<Vec<usize>> = pairs
        .iter()
        .map(|(table, _)| draw(table.keys(), sample))
        .collect();
    let wanted = |is_image: bool| {
        let tables = pairs.iter().zip(&drawn);
        let tables =
            tables.filter(move |((table, _), _)| (table.spec().input == Input::Image) == is_image);
        tables
            .flat_map(|((table, _), rows)| rows.iter().map(|&row| table.keys()[row]))
            .collect::<Vec<_>>()
    };
    let contents = Found {
        texts: find_texts(posts, wanted(false)),
        files: find_files(posts, wanted(true)),
    };
    let compare = |((table, number), rows): (&(TableReader, usize), &Vec<usize>)| {
        Comparison::new(table, rows).run(&contents, (encoders, *number))
    };
    pairs.iter().zip(&drawn).map(compare).collect()
}

fn names(specs: &[EncoderSpec]) -> String {
    let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    names.join("`, `")
}

/// Numbers of rows, drawn by a hash of seed and key, so that they do not depend on the order of the rows.
fn draw(keys: &[Key], sample: Sample) -> Vec<usize> {
    let lot = |key: &Key| Key::of(&[&sample.seed.to_le_bytes()[..], key.as_bytes()].concat());
    let mut lots: Vec<(Key, usize)> = keys.par_iter().map(lot).zip(0..keys.len()).collect();
    lots.par_sort_unstable();
    lots.into_iter()
        .take(sample.rows)
        .map(|(_, row)| row)
        .collect()
}

/// Contents by their keys.
struct Found {
    texts: HashMap<Key, String>,
    files: HashMap<Key, PathBuf>,
}

fn find_texts(posts: &[Post], wanted: Vec<Key>) -> HashMap<Key, String> {
    let wanted: std::collections::HashSet<Key> = wanted.into_iter().collect();
    let texts = posts
        .par_iter()
        .flat_map_iter(|post| [post.text.clone(), post.encoder_text()]);
    let keyed = texts.map(|text| (Key::of(text.as_bytes()), text));
    keyed.filter(|(key, _)| wanted.contains(key)).collect()
}

/// File times and names are not trusted: files are hashed until all wanted ones are found.
fn find_files(posts: &[Post], wanted: Vec<Key>) -> HashMap<Key, PathBuf> {
    let mut wanted: std::collections::HashSet<Key> = wanted.into_iter().collect();
    let mut seen = std::collections::HashSet::new();
    let images = posts.iter().flat_map(|post| &post.images);
    let files: Vec<&PathBuf> = images.filter(|path| seen.insert(path.as_path())).collect();
    let mut found = HashMap::new();
    for chunk in files.chunks(CHUNK) {
        if wanted.is_empty() {
            break;
        }
        let hash =
            |path: &&PathBuf| Some((Key::of(&mmfnd_pictures::read(path).ok()?), (*path).clone()));
        let hashed: Vec<(Key, PathBuf)> = chunk.par_iter().filter_map(hash).collect();
        for (key, path) in hashed {
            if wanted.remove(&key) {
                found.insert(key, path);
            }
        }
    }
    found
}

/// One encoder's rows being compared.
struct Comparison<'a> {
    table: &'a TableReader<'a>,
    rows: &'a [usize],
    sampled: Sampled,
}

impl<'a> Comparison<'a> {
    fn new(table: &'a TableReader<'a>, rows: &'a [usize]) -> Self {
        let spec = table.spec();
        let sampled = Sampled {
            name: spec.name.clone(),
            rows: table.keys().len(),
            compared: 0,
            absent: Vec::new(),
            cosine: 1.0,
            difference: 0.0,
            relative: 0.0,
            limit: Limit::of(spec),
            worst: String::new(),
        };
        Self {
            table,
            rows,
            sampled,
        }
    }

    fn run(
        mut self,
        contents: &Found,
        (encoders, number): (&dyn Encoders, usize),
    ) -> Result<Sampled, Error> {
        let is_there = |row: &&usize| {
            let key = &self.table.keys()[**row];
            contents.texts.contains_key(key) || contents.files.contains_key(key)
        };
        let (there, absent): (Vec<usize>, Vec<usize>) =
            self.rows.iter().partition(|row| is_there(row));
        self.sampled.absent = absent.iter().map(|&row| self.table.keys()[row]).collect();
        if there.is_empty() {
            return Ok(self.sampled);
        }
        encoders.check(number)?;
        match self.table.spec().input {
            Input::Image => self.pictures(&there, &contents.files, (encoders, number))?,
            Input::Text | Input::TextOcr => {
                self.texts(&there, &contents.texts, (encoders, number))?
            }
        }
        Ok(self.sampled)
    }

    fn texts(
        &mut self,
        rows: &[usize],
        texts: &HashMap<Key, String>,
        (encoders, number): (&dyn Encoders, usize),
    ) -> Result<(), Error> {
        let tokens = encoders.tokens(number)?;
        let mut encoder = encoders.open_text(number, tokens.pad_id())?.swap_remove(0);
        for &row in rows {
            let text = &texts[&self.table.keys()[row]];
            let content = format!("the text `{}`", text.chars().take(40).collect::<String>());
            let ids = tokens
                .ids(text)
                .map_err(|problem| self.failed(&content, problem.to_string()))?;
            let mut encoded = encoder.encode_with_states(&[&ids])?;
            let new = match self.table.spec().ragged {
                true => encoded.states.pop().unwrap_or_default(),
                false => encoded.rows.iter().copied().collect(),
            };
            self.compare(row, content, new)?;
        }
        Ok(())
    }

    fn pictures(
        &mut self,
        rows: &[usize],
        files: &HashMap<Key, PathBuf>,
        (encoders, number): (&dyn Encoders, usize),
    ) -> Result<(), Error> {
        let preprocessing = encoders.preprocessing(number);
        let is_map = self.table.spec().name != encoders.specs()[number].name;
        let mut encoder = encoders.open_image(number)?.swap_remove(0);
        for &row in rows {
            let path = &files[&self.table.keys()[row]];
            let content = format!("`{}`", path.display());
            let picture = mmfnd_pictures::read(path).and_then(|bytes| Picture::decode(&bytes));
            let pixels = picture.and_then(|picture| preprocessing.pixels_of(&picture));
            let pixels = pixels.map_err(|refusal| self.failed(&content, refusal.to_string()))?;
            let mut encoded = encoder.encode_with_states(&[&pixels])?;
            let new = match is_map {
                true => encoded.states.pop().unwrap_or_default(),
                false => encoded.rows.iter().copied().collect(),
            };
            self.compare(row, content, new)?;
        }
        Ok(())
    }

    fn compare(&mut self, row: usize, content: String, new: Vec<f32>) -> Result<(), Error> {
        let stored = self.table.row(row)?;
        if new.len() != stored.len() {
            let problem = format!("{} values, the store has {}", new.len(), stored.len());
            return Err(self.failed(&content, problem));
        }
        let pairs = || {
            stored
                .iter()
                .zip(&new)
                .map(|(a, b)| (f64::from(*a), f64::from(*b)))
        };
        let cosine = cosine(pairs());
        // NaN is as far off as can be, and `max` would pass over it.
        let difference = pairs().fold(0.0, |most: f64, (a, b)| match (a - b).abs() {
            far if far.is_nan() => f64::INFINITY,
            far => most.max(far),
        });
        let largest = pairs().fold(0.0, |most: f64, (a, b)| most.max(a.abs()).max(b.abs()));
        let relative = if difference == 0.0 {
            0.0
        } else {
            difference / largest
        };
        let sampled = &mut self.sampled;
        if sampled.worst.is_empty() || cosine < sampled.cosine || relative > sampled.relative {
            sampled.worst = content;
        }
        sampled.compared += 1;
        sampled.cosine = sampled.cosine.min(cosine);
        sampled.difference = sampled.difference.max(difference);
        sampled.relative = sampled.relative.max(relative);
        Ok(())
    }

    fn failed(&self, content: &str, problem: String) -> Error {
        Error::Output {
            encoder: self.sampled.name.clone(),
            content: content.to_owned(),
            problem,
        }
    }
}

/// Cosine of two rows; that of two rows of zeros is 1, as they are equal, and that of rows with NaN is -1.
fn cosine(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut product, mut a2, mut b2) = (0.0, 0.0, 0.0);
    for (a, b) in pairs {
        product += a * b;
        a2 += a * a;
        b2 += b * b;
    }
    if a2 == 0.0 && b2 == 0.0 {
        return 1.0;
    }
    let cosine: f64 = product / (a2.sqrt() * b2.sqrt()).max(f64::MIN_POSITIVE);
    if cosine.is_nan() { -1.0 } else { cosine }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cosine_of_equal_rows_is_one_and_of_broken_ones_the_least() {
        assert_eq!(cosine([(3.0, 3.0), (-4.0, -4.0)].into_iter()), 1.0);
        assert_eq!(cosine([(0.0, 0.0)].into_iter()), 1.0);
        assert_eq!(cosine([(0.0, 1.0)].into_iter()), 0.0);
        assert_eq!(cosine([(1.0, f64::NAN)].into_iter()), -1.0);
    }

    #[test]
    fn rows_are_drawn_by_seed_and_content_and_not_by_place() {
        let mut keys: Vec<Key> = (0..100u8).map(|n| Key::of(&[n])).collect();
        let drawn = |keys: &[Key], seed| -> Vec<Key> {
            let rows = draw(keys, Sample { rows: 5, seed });
            rows.into_iter().map(|row| keys[row]).collect()
        };
        let (one, two) = (drawn(&keys, 1), drawn(&keys, 2));
        assert_eq!(one.len(), 5);
        assert_ne!(one, two);
        keys.reverse();
        assert_eq!(drawn(&keys, 1), one);
        assert_eq!(drawn(&keys[..3], 1).len(), 3);
    }
}
