//! Predictions of posts: batches of their features into a head.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use mmfnd_posts::Label;

use super::scored::p_fake;
use crate::Error;
use crate::data::{Dataset, Prefetch};
use crate::heads::{GateShares, Inputs, Modalities, Output};
use crate::weights::numbers;

/// Posts in a batch. Always as many: the last batch is filled up, so that a post's prediction does not depend on how
/// many others there are.
const BATCH: usize = 64;

/// What the head says about one post.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Before the softmax: real, fake.
    pub logits: [f32; 2],
    /// Probability of fake.
    pub p_fake: f32,
    /// Weight of text, picture and cross-modal branch; not a number where the head or the post has no such branch, or
    /// the head no attention.
    pub attention: [f32; 3],
    /// Cosine of CLIP's text and picture; not a number where the head reads no CLIP or the post lacks one of them.
    pub similarity: f32,
    /// What only this head says, in the order of its [`extras`](crate::HeadKind::extras).
    pub extras: Vec<f32>,
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
        self.predict_with_gates(rows, &mut |_, _| ())
    }

    /// [`Scorer::predict`]; `on_gates` is given what the gates of each batch said, and how many of its posts count.
    /// Posts that have the same go into a batch together, so that masks are the same for all of it.
    pub fn predict_with_gates(
        &self,
        rows: &[usize],
        on_gates: &mut dyn FnMut(Vec<GateShares>, usize),
    ) -> Result<Vec<Prediction>, Error> {
        let mut groups: BTreeMap<Modalities, Vec<usize>> = BTreeMap::new();
        for (index, &row) in rows.iter().enumerate() {
            let modalities = self.dataset.modalities(row);
            groups.entry(modalities).or_default().push(index);
        }
        // posts that have all come first, so that a head's parts are met in its own order
        let chunks: Vec<_> = (groups.iter().rev())
            .flat_map(|(modalities, indices)| {
                indices.chunks(BATCH).map(move |chunk| (*modalities, chunk))
            })
            .collect();
        let padded = |(_, chunk): &(Modalities, &[usize])| {
            let mut batch: Vec<_> = chunk.iter().map(|&index| rows[index]).collect();
            batch.resize(BATCH, batch[0]);
            batch
        };
        let batches = chunks.iter().map(padded).collect();
        let mut prefetch = Prefetch::new(self.dataset, batches);
        let mut predictions = vec![None; rows.len()];
        for (modalities, chunk) in chunks {
            let mut output = (self.forward)(prefetch.next(self.device)?);
            on_gates(std::mem::take(&mut output.gates), chunk.len());
            for (&index, prediction) in chunk.iter().zip(read(output, modalities)) {
                predictions[index] = Some(prediction);
            }
        }
        Ok(predictions.into_iter().flatten().collect())
    }
}

/// The predictions of a batch of posts that have the same.
fn read(output: Output, modalities: Modalities) -> Vec<Prediction> {
    let logits = pairs(output.logits);
    let similarity = output.similarity.map(numbers).unwrap_or_default();
    let attention = attention(output.attention);
    let extras: Vec<_> = output.extras.into_iter().map(numbers).collect();
    let there = [
        modalities.text,
        modalities.image,
        modalities == Modalities::BOTH,
    ];
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
            extras: extras.iter().map(|column| column[i]).collect(),
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
