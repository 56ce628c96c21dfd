//! What a run did, for people and for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use mmfnd_features::{EncoderSpec, EncoderWriter, Input, Maker};

use super::work::StageResult;

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Posts that were given.
    pub posts: usize,
    /// Distinct texts among them.
    pub texts: usize,
    /// Distinct pictures that stand for posts.
    pub pictures: usize,
    /// Posts without a usable picture.
    pub posts_without_picture: usize,
    /// The encoders, in the preset's order.
    pub encoders: Vec<EncoderSummary>,
    /// Distinct files that could not be used, by reason.
    pub rejects: BTreeMap<&'static str, usize>,
    /// Posts whose link is new or has changed.
    pub linked: usize,
    /// The whole run.
    pub time: Duration,
}

/// What one encoder did.
#[derive(Clone, Debug)]
pub struct EncoderSummary {
    /// Name of the encoder.
    pub name: String,
    /// What it reads.
    pub input: Input,
    /// Distinct contents of the posts.
    pub contents: usize,
    /// Encoded in this run.
    pub encoded: usize,
    /// In the store when the run began.
    pub present: usize,
    /// Texts that were encoded now and are longer than the encoder takes.
    pub truncated: usize,
    /// Tokens encoded in this run, padding not counted.
    pub tokens: u64,
    /// The same with padding.
    pub computed_tokens: u64,
    /// Who encoded them.
    pub maker: Option<Maker>,
    /// Who encoded others that are in the store, and how many, where equal contents may differ in their last bits.
    pub other_makers: Vec<(Maker, usize)>,
    /// Time of its stage; image encoders share one.
    pub time: Duration,
}

impl Summary {
    /// Contents that were encoded, over all encoders.
    pub fn encoded(&self) -> usize {
        self.encoders.iter().map(|encoder| encoder.encoded).sum()
    }

    /// Files that could not be used.
    pub fn rejected(&self) -> usize {
        self.rejects.values().sum()
    }
}

impl EncoderSummary {
    pub(crate) fn new(spec: &EncoderSpec, contents: usize, missing: usize) -> Self {
        Self {
            name: spec.name.clone(),
            input: spec.input,
            contents,
            encoded: 0,
            present: contents - missing,
            truncated: 0,
            tokens: 0,
            computed_tokens: 0,
            maker: None,
            other_makers: Vec::new(),
            time: Duration::ZERO,
        }
    }

    /// Says who encodes what is missing, and who encoded what is there.
    pub(crate) fn made_by(&mut self, writer: &EncoderWriter) {
        self.maker = Some(writer.maker().clone());
        let others = writer.other_makers();
        self.other_makers = others.map(|(maker, rows)| (maker.clone(), rows)).collect();
    }

    /// Adds what a stage did for its encoder of this number.
    pub(crate) fn add(&mut self, result: &StageResult, number: usize) {
        self.encoded += result.rows[number];
        self.tokens += result.tokens;
        self.computed_tokens += result.computed_tokens;
        self.time += result.time;
    }

    /// Part of the computed tokens that was padding; none for pictures and when nothing was encoded.
    pub fn padding(&self) -> Option<f64> {
        (self.computed_tokens > 0).then(|| 1.0 - self.tokens as f64 / self.computed_tokens as f64)
    }
}
