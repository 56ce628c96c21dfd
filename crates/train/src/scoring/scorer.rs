//! Predictions of posts: batches of their features into a head.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use mmfnd_posts::Label;

use super::scored::p_fake;
use crate::Error;
use crate::data::{Dataset, Prefetch};
use crate::heads::{GateShares, Inputs, Modalities, Output, Resnet};
use crate::weights::numbers;

/// Posts in a batch. Always as many: the last batch is filled up, so that a post's prediction does not depend on how
/// many others there are.
const BATCH: usize = 64;
/// Batches whose predictions are read together: a card has them all to compute before this thread waits for it.
const READ_TOGETHER: usize = 64;

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

/// What the head says about a post, and what its classifier reads of it (m_Agg of the paper, `[D]`).
pub type WithAggregate = (Prediction, Vec<f32>);

/// What scores posts: a head on a device without autodiff.
#[derive(Clone, Copy)]
pub(crate) struct Scorer<'a> {
    pub forward: &'a dyn Fn(Inputs) -> Output,
    /// The ResNet that the head was trained with, where it was.
    pub backbone: Option<&'a Resnet>,
    pub dataset: &'a Dataset<'a>,
    pub device: &'a burn::tensor::Device,
}

impl Scorer<'_> {
    /// Predictions of these rows.
    pub fn predict(&self, rows: &[usize]) -> Result<Vec<Prediction>, Error> {
        self.predict_with(rows, &mut |_, _| ())
    }

    /// [`Scorer::predict`]; `on_gates` is given what the gates said of some batches, and how many of their posts count,
    /// the first ones.
    pub fn predict_with_gates(
        &self,
        rows: &[usize],
        on_gates: &mut dyn FnMut(Vec<GateShares>, usize),
    ) -> Result<Vec<Prediction>, Error> {
        self.predict_with(rows, &mut |said, posts| {
            on_gates(std::mem::take(&mut said.gates), posts.len());
        })
    }

    /// [`Scorer::predict`], and of each post what the classifier reads of it.
    pub fn predict_with_aggregate(
        &self,
        rows: &[usize],
    ) -> Result<(Vec<Prediction>, Vec<Vec<f32>>), Error> {
        let mut aggregates = vec![Vec::new(); rows.len()];
        let predictions = self.predict_with(rows, &mut |said, posts| {
            let of_batches = Tensor::cat(std::mem::take(&mut said.aggregates), 0);
            let width = of_batches.dims()[1];
            let values = numbers(of_batches);
            for (&post, row) in posts.iter().zip(values.chunks_exact(width)) {
                aggregates[post] = row.to_vec();
            }
        })?;
        Ok((predictions, aggregates))
    }

    /// `on_said` is given what the head says about some batches, and which of `rows` their first posts are; the others
    /// fill the last one up. Posts that have the same go into a batch together, so that masks are the same for all of
    /// it.
    fn predict_with(
        &self,
        rows: &[usize],
        on_said: &mut dyn FnMut(&mut Said, &[usize]),
    ) -> Result<Vec<Prediction>, Error> {
        let pooled = self
            .backbone
            .map(|backbone| self.dataset.pooled(backbone, rows, self.device));
        let pooled = pooled.transpose()?;
        let with_pooled = pooled
            .as_ref()
            .map(|pooled| self.dataset.with_resnet(pooled));
        let dataset = with_pooled.as_ref().unwrap_or(self.dataset);
        let mut groups: BTreeMap<Modalities, Vec<usize>> = BTreeMap::new();
        for (index, &row) in rows.iter().enumerate() {
            let modalities = dataset.modalities(row);
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
        let mut prefetch = Prefetch::new(dataset, batches);
        let mut predictions = vec![None; rows.len()];
        for chunks in chunks.chunk_by(|(of, _), (other, _)| of == other) {
            for together in chunks.chunks(READ_TOGETHER) {
                let output = |_| Ok(Said::of((self.forward)(prefetch.next(self.device)?)));
                let said = together.iter().map(output).collect::<Result<_, Error>>()?;
                let mut said = Said::joined(said);
                // only the last batch of those that have the same is filled up
                let of_batches = together.iter().flat_map(|(_, chunk)| chunk.iter());
                let indices: Vec<usize> = of_batches.copied().collect();
                on_said(&mut said, &indices);
                for (index, prediction) in indices.into_iter().zip(read(said, together[0].0)) {
                    predictions[index] = Some(prediction);
                }
            }
        }
        Ok(predictions.into_iter().flatten().collect())
    }
}

/// What predictions are made of.
struct Said {
    logits: Tensor<2>,
    similarity: Option<Tensor<1>>,
    attention: Option<Tensor<2>>,
    extras: Vec<Tensor<1>>,
    /// What the classifier reads, of each batch.
    aggregates: Vec<Tensor<2>>,
    gates: Vec<GateShares>,
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            logits: output.logits,
            similarity: output.similarity,
            attention: output.attention,
            extras: output.extras,
            aggregates: vec![output.aggregate],
            gates: output.gates,
        }
    }

    /// One behind the other, of batches whose posts have the same.
    fn joined(mut batches: Vec<Self>) -> Self {
        let mut gates: Vec<Vec<GateShares>> = Vec::new();
        for batch in &mut batches {
            gates.resize_with(batch.gates.len(), Vec::new);
            let of_gates = gates.iter_mut().zip(batch.gates.drain(..));
            of_gates.for_each(|(gate, shares)| gate.push(shares));
        }
        let gate = |batches: Vec<GateShares>| GateShares {
            gate: batches[0].gate.clone(),
            groups: batches[0].groups.clone(),
            shares: Tensor::cat(batches.into_iter().map(|batch| batch.shares).collect(), 0),
        };
        let (mut logits, mut similarity, mut attention) = (Vec::new(), Vec::new(), Vec::new());
        let (mut extras, mut aggregates) = (Vec::<Vec<_>>::new(), Vec::new());
        for batch in batches {
            aggregates.extend(batch.aggregates);
            extras.resize_with(batch.extras.len(), Vec::new);
            let columns = extras.iter_mut().zip(batch.extras);
            columns.for_each(|(column, values)| column.push(values));
            logits.push(batch.logits);
            similarity.extend(batch.similarity);
            attention.extend(batch.attention);
        }
        Self {
            logits: Tensor::cat(logits, 0),
            similarity: (!similarity.is_empty()).then(|| Tensor::cat(similarity, 0)),
            attention: (!attention.is_empty()).then(|| Tensor::cat(attention, 0)),
            extras: extras
                .into_iter()
                .map(|column| Tensor::cat(column, 0))
                .collect(),
            aggregates,
            gates: gates.into_iter().map(gate).collect(),
        }
    }
}

/// The predictions of posts that have the same.
fn read(said: Said, modalities: Modalities) -> Vec<Prediction> {
    let logits = pairs(said.logits);
    let similarity = said.similarity.map(numbers).unwrap_or_default();
    let attention = attention(said.attention);
    let extras: Vec<_> = said.extras.into_iter().map(numbers).collect();
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
