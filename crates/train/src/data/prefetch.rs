//! Batches of features in the order in which they are wanted. What lies on the disk is read by a thread of its own
//! while the steps before it are computed, so that training on a store that does not fit into memory takes the same
//! batches, in the same order, and about the same time. What lies on a card is gathered there.

use std::cell::OnceCell;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use mmfnd_features::Column;
use rayon::prelude::*;

use super::augment::Augment;
use super::card_features::CardRows;
use super::class_layer::ClassLayer;
use super::columns::{COLUMNS, Each};
use super::dataset::Dataset;
use super::maps::{Ahead, Distinct, Source, Unread};
use crate::Error;
use crate::heads::{Inputs, Modalities, ModalityMask, Tokens};

/// Batches that may wait for their step: enough to bridge a slow read, little memory.
const WAITING: usize = 8;

/// Values of some posts, of each encoder that is read; none where no post has any.
#[derive(Debug, Default)]
struct Gathered {
    /// `[B, width]`
    vectors: Each<Option<Vec<f32>>>,
    /// `[ΣT, width]`
    tokens: Option<Vec<f32>>,
    /// Of the distinct pictures.  `[P, H, W, C]`
    maps: Option<Vec<f32>>,
}

/// Columns whose values are on the disk.
struct OnDisk {
    vectors: Each<Option<Column>>,
    tokens: Option<Column>,
    pictures: Option<Ahead>,
}

/// Which row of the posts cannot be read, and why.
type UnreadRow = (usize, Unread);

/// The posts of a batch.
#[derive(Clone, Debug)]
struct Wanted {
    modalities: Vec<Modalities>,
    /// Rows of those that have a text, and of those that have a picture.
    rows: [Vec<usize>; 2],
    /// The distinct pictures, where ResNet is trained with the head.
    pictures: Option<Distinct>,
    /// How they are varied, where they are.
    augment: Option<Augment>,
}

impl Wanted {
    fn new(dataset: &Dataset, batch: &[usize], augment: Option<Augment>) -> Self {
        let modalities: Vec<_> = batch.iter().map(|&row| dataset.modalities(row)).collect();
        let rows = |is_there: fn(&Modalities) -> bool| -> Vec<usize> {
            let there = batch
                .iter()
                .zip(&modalities)
                .filter(|(_, modalities)| is_there(modalities));
            there.map(|(row, _)| *row).collect()
        };
        let rows = [
            rows(|modalities| modalities.text),
            rows(|modalities| modalities.image),
        ];
        let source = dataset.source().filter(|_| !rows[1].is_empty());
        Self {
            pictures: source.map(|source| Distinct::of(source, &rows[1])),
            augment,
            modalities,
            rows,
        }
    }

    /// Of the column with this index.
    fn rows(&self, column: usize) -> &[usize] {
        match COLUMNS[column].is_text {
            true => self.texts(),
            false => &self.rows[1],
        }
    }

    fn texts(&self) -> &[usize] {
        &self.rows[0]
    }
}

/// The batches to come.
pub(crate) struct Prefetch<'a> {
    dataset: &'a Dataset<'a>,
    batches: std::vec::IntoIter<Wanted>,
    /// Columns that lie on a card.
    on_card: Each<Option<CardRows>>,
    /// What was read from the disk; none when all features are in memory.
    read: Option<Receiver<Result<Gathered, UnreadRow>>>,
    /// The layer that makes logits on the device, once a batch was asked for.
    layer: OnceCell<[Tensor<2>; 2]>,
}

impl<'a> Prefetch<'a> {
    /// `batches` are rows of posts that the head can score.
    pub(crate) fn new(dataset: &'a Dataset<'a>, batches: Vec<Vec<usize>>) -> Self {
        Self::augmented(dataset, batches, None)
    }

    /// With pictures that are varied, where ResNet is trained from them.
    pub(crate) fn augmented(
        dataset: &'a Dataset<'a>,
        batches: Vec<Vec<usize>>,
        augment: Option<Augment>,
    ) -> Self {
        let of_batch = |number| augment.map(|augment| augment.later(number));
        let batches = batches.iter().enumerate();
        let wanted = batches.map(|(number, batch)| Wanted::new(dataset, batch, of_batch(number)));
        let batches: Vec<_> = wanted.collect();
        let columns = dataset.columns();
        let on_disk = |column: Option<&'a Column>| column.filter(|column| column.is_on_disk());
        // Cheap clones: their values stay where they are.
        let on_disk = OnDisk {
            vectors: columns.map(|column| on_disk(column).cloned()),
            tokens: on_disk(dataset.tokens()).cloned(),
            pictures: dataset.source().and_then(Source::ahead),
        };
        let is_any = on_disk.vectors.iter().any(Option::is_some)
            || on_disk.tokens.is_some()
            || on_disk.pictures.is_some();
        let read = is_any.then(|| {
            let (sender, receiver) = sync_channel(WAITING);
            let batches = batches.clone();
            std::thread::spawn(move || read_all(&on_disk, &batches, &sender));
            receiver
        });
        let on_card = std::array::from_fn(|index| {
            let rows = batches.iter().flat_map(|batch| batch.rows(index));
            dataset.on_card().rows(index, columns[index], rows)
        });
        Self {
            dataset,
            batches: batches.into_iter(),
            on_card,
            read,
            layer: OnceCell::new(),
        }
    }

    /// Features of the next batch.
    ///
    /// # Panics
    /// When there is none.
    pub(crate) fn next(&mut self, device: &Device) -> Result<Inputs, Error> {
        let mut wanted = self
            .batches
            .next()
            .expect("no more batches are taken than were asked for");
        let mut values = match &self.read {
            Some(read) => {
                let read = read.recv().expect("the thread reads every batch");
                read.map_err(|(row, unread)| unread.of_post(row, self.dataset.id(row)))?
            }
            None => Gathered::default(),
        };
        let source = self.dataset.source().zip(wanted.pictures.take());
        let pictures = source.map(|(source, pictures)| {
            let maps = match values.maps.take() {
                Some(maps) => Ok(maps),
                None => source.read(&pictures.posts, wanted.augment.as_ref()),
            };
            let maps = maps.map_err(|(row, unread)| unread.of_post(row, self.dataset.id(row)))?;
            Ok::<_, Error>(pictures.tensors(maps, source.shape(), device))
        });
        let pictures = pictures.transpose()?;
        let mut features = [const { None }; COLUMNS.len()];
        for (index, column) in self.dataset.columns().into_iter().enumerate() {
            let rows = wanted.rows(index);
            let Some(column) = column.filter(|_| !rows.is_empty()) else {
                continue;
            };
            let read = values.vectors[index].take();
            features[index] = Some(match (&mut self.on_card[index], read) {
                (Some(card), _) => on_device(card.next(rows.len()), device),
                (None, Some(read)) => matrix(read, column, device),
                (None, None) => matrix(gather(column, rows), column, device),
            });
        }
        let texts = wanted.texts();
        let tokens = self.dataset.tokens().filter(|_| !texts.is_empty());
        let tokens = tokens.map(|column| {
            let read = values.tokens.take();
            let values = read.unwrap_or_else(|| gather_tokens(column, texts));
            tokens_of(values, (column, texts), device)
        });
        Ok(Inputs {
            tokens,
            pictures,
            ..self.inputs(features, &wanted.modalities, device)
        })
    }

    fn inputs(
        &self,
        features: Each<Option<Tensor<2>>>,
        modalities: &[Modalities],
        device: &Device,
    ) -> Inputs {
        let logits = self.dataset.layer().and_then(|layer| {
            let mut columns = COLUMNS.iter().zip(&features);
            let (_, own) = columns.find(|(known, _)| known.name == layer.encoder)?;
            Some(self.logits(layer, own.clone()?))
        });
        let [bert, clip_text, clip_image, resnet, vgg, ela] = features;
        let stack = |(rows, column): (Tensor<2>, &Column)| {
            let posts = rows.dims()[0];
            rows.reshape([posts, column.shape[0], column.shape[1]])
        };
        Inputs {
            image_logits: logits,
            bert: bert.zip(self.dataset.columns()[0]).map(stack),
            resnet,
            clip_text,
            clip_image,
            vgg,
            ela,
            mask: ModalityMask::new(modalities, device),
            ..Inputs::default()
        }
    }

    /// What an encoder's own layer makes of its features; it is not trained, so there is no graph.
    fn logits(&self, layer: &ClassLayer, features: Tensor<2>) -> Tensor<2> {
        let is_autodiff = features.is_autodiff();
        let features = match is_autodiff {
            true => features.inner(),
            false => features,
        };
        let features = match layer.is_after_relu() {
            true => relu(features),
            false => features,
        };
        let [weight, bias] = self.layer.get_or_init(|| {
            let tensor = |values: &[f32], rows: usize| {
                let data = TensorData::new(values.to_vec(), [rows, layer.classes]);
                Tensor::from_data(data, &features.device())
            };
            let width = layer.weight.len() / layer.classes;
            [tensor(&layer.weight, width), tensor(&layer.bias, 1)]
        });
        let logits = features.matmul(weight.clone()) + bias.clone();
        if is_autodiff {
            Tensor::from_inner(logits)
        } else {
            logits
        }
    }
}

/// Values of posts on the device that asks for them.  `[B, width]`
fn matrix(values: Vec<f32>, column: &Column, device: &Device) -> Tensor<2> {
    let shape = [values.len() / column.width(), column.width()];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Rows that lie on a card, as the device there that asks for them has its tensors.
fn on_device(rows: Tensor<2>, device: &Device) -> Tensor<2> {
    match device.is_autodiff() {
        true => rows.autodiff(),
        false => rows,
    }
}

/// Reads batch after batch; stops after an error, and when nobody waits any more.
fn read_all(
    columns: &OnDisk,
    batches: &[Wanted],
    sender: &SyncSender<Result<Gathered, UnreadRow>>,
) {
    for wanted in batches {
        let read = read(columns, wanted);
        let is_over = read.is_err();
        if sender.send(read).is_err() || is_over {
            return;
        }
    }
}

/// One after the other: all other threads are busy with the step.
fn read(columns: &OnDisk, wanted: &Wanted) -> Result<Gathered, UnreadRow> {
    let mut values = Gathered::default();
    let vectors = values.vectors.iter_mut().zip(&columns.vectors);
    for (index, (values, column)) in vectors.enumerate() {
        let rows = wanted.rows(index);
        let Some(column) = column.as_ref().filter(|_| !rows.is_empty()) else {
            continue;
        };
        let width = column.width();
        let values = values.insert(vec![0.0; rows.len() * width]);
        for (target, &row) in values.chunks_exact_mut(width).zip(rows) {
            let read = column.read_row(row, target);
            read.map_err(|error| (row, error.into()))?;
        }
    }
    if let Some(column) = &columns.tokens {
        let lengths = wanted.texts().iter().map(|&row| column.width_of(row));
        let tokens = values.tokens.insert(vec![0.0; lengths.sum()]);
        let mut rest = tokens.as_mut_slice();
        for &row in wanted.texts() {
            let (target, after) = rest.split_at_mut(column.width_of(row));
            let read = column.read_row(row, target);
            read.map_err(|error| (row, error.into()))?;
            rest = after;
        }
    }
    if let (Some(source), Some(pictures)) = (&columns.pictures, &wanted.pictures) {
        values.maps = Some(source.read(&pictures.posts, wanted.augment.as_ref())?);
    }
    Ok(values)
}

/// States of tokens on the device that asks for them.
fn tokens_of(values: Vec<f32>, (column, posts): (&Column, &[usize]), device: &Device) -> Tokens {
    let width = column.shape[1];
    let shape = [values.len() / width, width];
    let lengths = posts.iter().map(|&post| column.width_of(post) / width);
    Tokens {
        rows: Tensor::from_data(TensorData::new(values, shape), device),
        lengths: lengths.collect(),
    }
}

/// Copies states of tokens that are in memory, one text behind the other.
fn gather_tokens(column: &Column, posts: &[usize]) -> Vec<f32> {
    let lengths = posts.iter().map(|&post| column.width_of(post));
    let mut values = vec![0.0; lengths.sum()];
    let mut rest = values.as_mut_slice();
    let mut targets = Vec::with_capacity(posts.len());
    for &post in posts {
        let (target, after) = rest.split_at_mut(column.width_of(post));
        targets.push(target);
        rest = after;
    }
    let targets = targets.into_par_iter().zip(posts);
    targets.for_each(|(target, &post)| {
        let there = column.copy_row(post, target);
        debug_assert!(there, "post {post} has no tokens");
    });
    values
}

/// Copies values that are in memory.
fn gather(column: &Column, rows: &[usize]) -> Vec<f32> {
    let width = column.width();
    let mut values = vec![0.0; rows.len() * width];
    let targets = values.par_chunks_exact_mut(width).zip(rows);
    targets.for_each(|(target, &row)| {
        let there = column.copy_row(row, target);
        debug_assert!(there, "row {row} has no features");
    });
    values
}
