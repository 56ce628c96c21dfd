//! A trained head for any posts.

use std::fmt;
use std::path::Path;

use mmfnd_features::{Features, Key};
use mmfnd_posts::Post;

use super::dir::RunDir;
use super::entry;
use super::info::RunInfo;
use super::saved_head::Saved;
use crate::config::Config;
use crate::data::{Dataset, Pixels, specs};
use crate::error::DataProblem;
use crate::scoring::{Prediction, Scorer, WithAggregate};
use crate::{Device, Error};

/// A trained head.
pub struct Model {
    saved: Saved,
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

impl Model {
    /// The best epoch of a finished run.
    pub fn load(run: &Path, device: Device) -> Result<Self, Error> {
        let run = RunDir::open(run)?;
        run.metrics()?; // an unfinished run is an error
        let (config, device) = (run.config()?, device.open()?);
        Ok(Self {
            saved: entry::load(&run, &config, &device)?,
            encoders: config.encoders(),
            config,
            device,
            info: run.info()?,
        })
    }

    /// Columns of predictions that only its head has.
    pub fn extras(&self) -> &'static [&'static str] {
        self.config.head.kind().extras
    }

    /// The encoders whose features it reads.
    pub fn encoders(&self) -> &[&'static str] {
        &self.encoders
    }

    /// Where it comes from.
    pub fn info(&self) -> &RunInfo {
        &self.info
    }

    /// Predictions for some rows of posts and their features; `None` where a post lacks what the run did not train to
    /// do without. Features of other encoders are an error.
    pub fn predict(
        &self,
        features: &Features,
        posts: &[Post],
        rows: &[usize],
    ) -> Result<Vec<Option<Prediction>>, Error> {
        self.score(features, posts, rows, |scorer, usable| {
            scorer.predict(usable)
        })
    }

    /// [`Model::predict`], and with each prediction what the classifier reads.
    pub fn predict_with_aggregate(
        &self,
        features: &Features,
        posts: &[Post],
        rows: &[usize],
    ) -> Result<Vec<Option<WithAggregate>>, Error> {
        self.score(features, posts, rows, |scorer, usable| {
            let (predictions, aggregates) = scorer.predict_with_aggregate(usable)?;
            Ok(predictions.into_iter().zip(aggregates).collect())
        })
    }

    /// What `of` makes of the rows that can be scored, at their places among all.
    fn score<T>(
        &self,
        features: &Features,
        posts: &[Post],
        rows: &[usize],
        of: impl Fn(&Scorer, &[usize]) -> Result<Vec<T>, Error>,
    ) -> Result<Vec<Option<T>>, Error> {
        self.check(features)?;
        self.check_ocr(features, posts)?;
        let mut dataset = Dataset::new(features, posts, &self.config)?;
        let problems: Vec<_> = rows.iter().map(|&row| dataset.problem(row)).collect();
        let usable = rows.iter().zip(&problems);
        let usable = usable.filter(|(_, problem)| problem.is_none());
        let usable: Vec<_> = usable.map(|(row, _)| *row).collect();
        if let Some(how) = &self.info.preprocessing {
            dataset = dataset.with_pictures(Pixels::find(features, (posts, &usable), how.clone())?);
        }
        let scorer = Scorer {
            forward: &self.saved.forward,
            backbone: self.saved.backbone.as_ref(),
            dataset: &dataset,
            device: &self.device,
        };
        let mut scored = of(&scorer, &usable)?.into_iter();
        let next = |problem: Option<_>| problem.map_or_else(|| scored.next(), |_: &str| None);
        Ok(problems.into_iter().map(next).collect())
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
