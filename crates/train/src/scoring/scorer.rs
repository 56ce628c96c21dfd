//! Predictions: of the posts of a run at its end, and of any posts by a trained model.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use burn::tensor::Tensor;
use mmfnd_features::{Features, Key};
use mmfnd_posts::{Columns, Label, Post, Split, TableColumn, write_table};

use crate::config::Config;
use crate::data::{Dataset, specs};
use crate::error::DataProblem;
use crate::heads::{GateShares, Has, Head, Init, Inputs, Output};
use crate::run::{RunDir, RunInfo};
use crate::scoring::metrics::p_fake;
use crate::weights::file as weights_file;
use crate::weights::{self, numbers};
use crate::{Device, Error};

/// Posts in a batch. Always as many: the last batch is filled up, so that a post's prediction does not depend on how many others there are.
const BATCH: usize = 64;

/// What the head says about one post.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Before the softmax: real, fake.
    pub logits: [f32; 2],
    /// Probability of fake.
    pub p_fake: f32,
    /// Weight of text, picture and cross-modal branch; not a number where the head or the post has no such branch, or the head no attention.
    pub attention: [f32; 3],
    /// Cosine of CLIP's text and picture; not a number where the head reads no CLIP or the post lacks one of them.
    pub similarity: f32,
}

impl Prediction {
    /// The likelier class.
    pub fn label(&self) -> Label {
        match self.logits[1] > self.logits[0] {
            true => Label::Fake,
            false => Label::Real,
        }
    }
}

/// What a trained head makes of a batch.
pub(crate) type Forward = Box<dyn Fn(Inputs) -> Output + Send>;

/// A trained head.
pub struct Model {
    forward: Forward,
    config: Config,
    encoders: Vec<&'static str>,
    device: burn::tensor::Device,
    info: RunInfo,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut model = f.debug_struct("Model");
        model.field("info", &self.info).finish_non_exhaustive()
    }
}

/// The weights of the best epoch of a run of this head.
pub(crate) fn load<H: Head>(run: &RunDir, device: &burn::tensor::Device) -> Result<Forward, Error> {
    let config = run.config()?.head.options::<H>();
    let head = H::new(&config, &run.info()?.sizes, &mut Init::new(0, device));
    let (weights, _) = weights_file::read(&run.weights())?;
    let head = weights::load(head, &weights);
    let head = head.map_err(|error| weights_file::problem(&run.weights(), error))?;
    Ok(Box::new(move |inputs| head.forward(inputs, None)))
}

impl Model {
    /// The best epoch of a finished run.
    pub fn load(run: &Path, device: Device) -> Result<Self, Error> {
        let run = RunDir::open(run)?;
        run.metrics()?; // an unfinished run is an error
        let (config, device) = (run.config()?, device.open()?);
        Ok(Self {
            forward: (config.head.kind().load)(&run, &device)?,
            encoders: config.head.encoders(),
            config,
            device,
            info: run.info()?,
        })
    }

    /// The encoders whose features it reads.
    pub fn encoders(&self) -> &[&'static str] {
        &self.encoders
    }

    /// Where it comes from.
    pub fn info(&self) -> &RunInfo {
        &self.info
    }

    /// Predictions for some rows of posts and their features; `None` where a post lacks what the run did not train to do without. Features of other encoders
    /// are an error.
    pub fn predict(
        &self,
        features: &Features,
        posts: &[Post],
        rows: &[usize],
    ) -> Result<Vec<Option<Prediction>>, Error> {
        self.check(features)?;
        self.check_ocr(features, posts)?;
        let dataset = Dataset::new(features, posts, &self.config)?;
        let is_usable = |row: &&usize| dataset.problem(**row).is_none();
        let usable: Vec<_> = rows.iter().filter(is_usable).copied().collect();
        let scorer = Scorer {
            forward: &self.forward,
            dataset: &dataset,
            device: &self.device,
        };
        let mut predictions = scorer.predict(&usable)?.into_iter();
        let next = |row: &usize| is_usable(&row).then(|| predictions.next()).flatten();
        Ok(rows.iter().map(next).collect())
    }

    /// Whether features come from the encoders that the run was trained on.
    fn check(&self, features: &Features) -> Result<(), Error> {
        let found = specs(features, &self.encoders);
        for trained in &self.info.encoders {
            let same = found.iter().find(|spec| spec.name == trained.name);
            let Some(spec) = same.filter(|spec| spec.fingerprint != trained.fingerprint) else {
                continue; // the same, or absent, which `Dataset::new` says
            };
            return Err(Error::Data(DataProblem::OtherEncoder {
                name: trained.name.clone(),
                trained: format!("of fingerprint {}", trained.short_fingerprint()),
                found: format!("{} (preset `{}`)", spec.short_fingerprint(), spec.preset),
                preset: trained.preset.clone(),
            }));
        }
        Ok(())
    }

    /// BERT's features are of the text with that in the pictures, or without it, as those of the training posts were.
    fn check_ocr(&self, features: &Features, posts: &[Post]) -> Result<(), Error> {
        let lacks = || posts.iter().zip(&features.image_key).any(lacks_ocr);
        let problem = match (self.info.with_ocr, features.with_ocr) {
            (Some(true), Some(false)) if lacks() => {
                "the run was trained with the text in the pictures, these posts were encoded without it; read it (`mmfnd ocr`) and encode them with `--with-ocr`"
            }
            (Some(false), Some(true)) => {
                "the run was trained without the text in the pictures, these posts were encoded with it; encode them without `--with-ocr` into another store"
            }
            _ => return Ok(()),
        };
        Err(Error::Data(DataProblem::Ocr(problem)))
    }
}

/// Whether a post has text from its picture that was not encoded, or a picture that nobody read.
fn lacks_ocr((post, picture): (&Post, &Option<Key>)) -> bool {
    match &post.ocr_text {
        Some(_) => post.encoder_text() != post.text,
        None => picture.is_some(),
    }
}

/// What scores posts: a head on a device without autodiff.
#[derive(Clone, Copy)]
pub(crate) struct Scorer<'a> {
    pub forward: &'a dyn Fn(Inputs) -> Output,
    pub dataset: &'a Dataset<'a>,
    pub device: &'a burn::tensor::Device,
}

impl Scorer<'_> {
    /// Predictions of these rows.
    pub fn predict(&self, rows: &[usize]) -> Result<Vec<Prediction>, Error> {
        self.predict_watched(rows, &mut |_, _| ())
    }

    /// [`Scorer::predict`]; `watch` is given what the gates of each batch said, and how many of its posts count. Posts that have the same go into a batch together, so
    /// that masks are the same for all of it.
    pub fn predict_watched(
        &self,
        rows: &[usize],
        watch: &mut dyn FnMut(Vec<GateShares>, usize),
    ) -> Result<Vec<Prediction>, Error> {
        let mut groups: BTreeMap<Has, Vec<usize>> = BTreeMap::new();
        for (index, &row) in rows.iter().enumerate() {
            let has = self.dataset.has(row);
            groups.entry(has).or_default().push(index);
        }
        // posts that have all come first, so that a head's parts are met in its own order
        let chunks: Vec<_> = (groups.iter().rev())
            .flat_map(|(has, indices)| indices.chunks(BATCH).map(move |chunk| (*has, chunk)))
            .collect();
        let padded = |(_, chunk): &(Has, &[usize])| {
            let mut batch: Vec<_> = chunk.iter().map(|&index| rows[index]).collect();
            batch.resize(BATCH, batch[0]);
            batch
        };
        let mut ahead = self.dataset.ahead(chunks.iter().map(padded).collect());
        let mut predictions = vec![None; rows.len()];
        for (has, chunk) in chunks {
            let mut output = (self.forward)(ahead.next(self.device)?);
            watch(std::mem::take(&mut output.gates), chunk.len());
            for (&index, prediction) in chunk.iter().zip(read(output, has)) {
                predictions[index] = Some(prediction);
            }
        }
        Ok(predictions.into_iter().flatten().collect())
    }
}

/// The predictions of a batch of posts that have the same.
fn read(output: Output, has: Has) -> Vec<Prediction> {
    let logits = pairs(output.logits);
    let similarity = output.similarity.map(numbers).unwrap_or_default();
    let attention = attention(output.attention);
    let there = [has.text, has.image, has == Has::ALL];
    let prediction = |(i, &logits): (usize, &[f32; 2])| {
        let mut attention = attention.get(i).copied().unwrap_or([f32::NAN; 3]);
        let branches = attention.iter_mut().zip(there);
        branches.for_each(|(weight, there)| {
            if !there {
                *weight = f32::NAN;
            }
        });
        Prediction {
            logits,
            p_fake: p_fake(logits) as f32,
            attention,
            similarity: similarity.get(i).copied().unwrap_or(f32::NAN),
        }
    };
    logits.iter().enumerate().map(prediction).collect()
}

/// Rows of two numbers.
pub(crate) fn pairs(tensor: Tensor<2>) -> Vec<[f32; 2]> {
    numbers(tensor).as_chunks::<2>().0.to_vec()
}

/// Rows in the order text, picture, cross-modal; a head without the last has two.
fn attention(weights: Option<Tensor<2>>) -> Vec<[f32; 3]> {
    let Some(weights) = weights else {
        return Vec::new();
    };
    let branches = weights.dims()[1];
    let row = |row: &[f32]| {
        let mut all = [f32::NAN; 3];
        all[..branches].copy_from_slice(row);
        all
    };
    numbers(weights).chunks_exact(branches).map(row).collect()
}

/// Writes predictions of a run's posts: with split, true label and predicted one.
pub(crate) fn write_run(
    path: &Path,
    posts: &[&Post],
    splits: &[Split],
    predictions: &[Prediction],
) -> Result<(), Error> {
    let label = |post: &&Post| post.label.map(|label| label.index() as i64);
    let split = |split: &Split| Some(split.to_string());
    let predictions: Vec<_> = predictions.iter().copied().map(Some).collect();
    let mut columns = vec![
        ("post_id", ids(posts)),
        (
            "split",
            TableColumn::Text(splits.iter().map(split).collect()),
        ),
        ("label", TableColumn::Int(posts.iter().map(label).collect())),
        ("predicted", predicted(&predictions)),
    ];
    columns.extend(figures(&predictions));
    Ok(write_table(path, &columns)?)
}

/// A row of the predictions that a run wrote.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunPrediction {
    pub post_id: String,
    pub split: Split,
    /// 1 for fake; none where the post has no label.
    pub label: Option<i64>,
    pub predicted: i64,
    pub p_fake: f32,
}

/// Reads what [`write_run`] wrote.
pub(crate) fn read_run(path: &Path) -> Result<Vec<RunPrediction>, Error> {
    let table = Columns::read(path, "the predictions of a run")?;
    let (ids, splits) = (
        table.strings("post_id", false)?,
        table.strings("split", false)?,
    );
    let (labels, predicted) = (table.integers("label")?, table.integers("predicted")?);
    let p_fake = table.floats("p_fake")?;
    let row = |row: usize| {
        Some(RunPrediction {
            post_id: ids[row].clone()?,
            split: splits[row].as_ref()?.parse().ok()?,
            label: labels[row],
            predicted: predicted[row]?,
            p_fake: p_fake[row]?,
        })
    };
    let damaged = |row| Error::Run {
        path: path.to_owned(),
        problem: format!(
            "is damaged in row {}; delete the run's folder and train it again",
            row + 1
        ),
    };
    (0..table.rows())
        .map(|index| row(index).ok_or_else(|| damaged(index)))
        .collect()
}

/// Writes predictions of any posts, nulls where there is none; the ending of `path` names the format, and `label` is the predicted one.
pub fn write_predictions(
    path: &Path,
    posts: &[&Post],
    predictions: &[Option<Prediction>],
) -> Result<(), Error> {
    let mut columns = vec![("post_id", ids(posts)), ("label", predicted(predictions))];
    columns.extend(figures(predictions));
    Ok(write_table(path, &columns)?)
}

fn ids(posts: &[&Post]) -> TableColumn {
    TableColumn::Text(posts.iter().map(|post| Some(post.id.clone())).collect())
}

fn predicted(predictions: &[Option<Prediction>]) -> TableColumn {
    let label = |prediction: &Option<Prediction>| prediction.map(|p| p.label().index() as i64);
    TableColumn::Int(predictions.iter().map(label).collect())
}

fn figures(predictions: &[Option<Prediction>]) -> [(&'static str, TableColumn); 5] {
    let column = |value: fn(Prediction) -> f32| {
        let values = predictions.iter().map(|prediction| prediction.map(value));
        TableColumn::Float(
            values
                .map(|value| value.filter(|value| !value.is_nan()))
                .collect(),
        )
    };
    [
        ("p_fake", column(|p| p.p_fake)),
        ("attention_text", column(|p| p.attention[0])),
        ("attention_image", column(|p| p.attention[1])),
        ("attention_cross", column(|p| p.attention[2])),
        ("similarity", column(|p| p.similarity)),
    ]
}
