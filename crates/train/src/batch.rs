//! Batches by row: gathered from the loaded features, which stay at their stored precision, into 32-bit tensors on the device.

use std::collections::HashMap;

use burn::tensor::{Device, Tensor, TensorData};
use mmfnd_features::{Column, EncoderSpec, Features, Key};
use mmfnd_posts::Post;
use rayon::prelude::*;

use crate::error::DataProblem;
use crate::heads::{Inputs, Sizes};

/// The encoders whose features the head reads.
pub const ENCODERS: [&str; 4] = ["bert", "clip_text", "clip_image", "resnet"];
/// Classes of ResNet's layer where the store has none.
const IMAGENET_CLASSES: usize = 1000;

/// The columns of [`ENCODERS`].
#[derive(Clone, Copy, Debug)]
pub struct Dataset<'a> {
    bert: &'a Column,
    clip_text: &'a Column,
    clip_image: &'a Column,
    resnet: &'a Column,
}

impl<'a> Dataset<'a> {
    /// Finds the columns and checks their shapes.
    pub fn new(features: &'a Features) -> Result<Self, DataProblem> {
        let column = |name, rank: usize, expected| {
            let column = features.column(name);
            let column = column.ok_or(DataProblem::NoEncoder { name })?;
            if column.shape.len() != rank {
                let shape = column.shape.clone();
                return Err(DataProblem::Shape {
                    name,
                    shape,
                    expected,
                });
            }
            Ok(column)
        };
        let dataset = Self {
            bert: column(
                "bert",
                2,
                "[layers, width]: the `[CLS]` state of each layer",
            )?,
            clip_text: column("clip_text", 1, "[width]: one vector a text")?,
            clip_image: column("clip_image", 1, "[width]: one vector a picture")?,
            resnet: column("resnet", 1, "[width]: one pooled vector a picture")?,
        };
        match dataset.clip_text.shape == dataset.clip_image.shape {
            true => Ok(dataset),
            false => Err(DataProblem::Shape {
                name: "clip_image",
                shape: dataset.clip_image.shape.clone(),
                expected: "the width of `clip_text`: the two have to come from one model",
            }),
        }
    }

    /// Sizes of the features, with the classes of ResNet's layer.
    pub fn sizes(&self, resnet_classes: Option<usize>) -> Sizes {
        Sizes {
            layers: self.bert.shape[0],
            bert: self.bert.shape[1],
            resnet: self.resnet.width(),
            resnet_classes: resnet_classes.unwrap_or(IMAGENET_CLASSES),
            clip: self.clip_text.width(),
        }
    }

    /// Whether a post has all features.
    pub fn is_usable(&self, row: usize) -> bool {
        let columns = [self.bert, self.clip_text, self.clip_image, self.resnet];
        columns.iter().all(|column| column.row_of(row).is_some())
    }

    /// Features of some posts.
    pub fn inputs(&self, rows: &[usize], device: &Device) -> Inputs {
        let (b, layers, width) = (rows.len(), self.bert.shape[0], self.bert.shape[1]);
        let matrix = |column: &Column| {
            let data = TensorData::new(gather(column, rows), [b, column.width()]);
            Tensor::from_data(data, device)
        };
        let bert = TensorData::new(gather(self.bert, rows), [b, layers, width]);
        Inputs {
            bert: Tensor::from_data(bert, device),
            resnet: matrix(self.resnet),
            clip_text: matrix(self.clip_text),
            clip_image: matrix(self.clip_image),
        }
    }
}

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

/// Labels as one-hot rows.  `[B, C]`
pub(crate) fn labels(posts: &[Post], rows: &[usize], device: &Device) -> Tensor<2> {
    let one_hot = rows.iter().flat_map(|&row| {
        let label = posts[row]
            .label
            .expect("only labelled posts are trained on");
        [0, 1].map(|class| f32::from(u8::from(label.index() == class)))
    });
    let data = TensorData::new(one_hot.collect::<Vec<_>>(), [rows.len(), 2]);
    Tensor::from_data(data, device)
}

/// Numbers the picture of each post; posts without features have none.
pub(crate) fn pictures(features: &Features, dataset: &Dataset) -> Vec<Option<usize>> {
    let mut numbers = HashMap::new();
    let rows = features.image_key.iter().enumerate();
    rows.map(|(row, key)| {
        let key = key.filter(|_| dataset.is_usable(row))?;
        let next = numbers.len();
        Some(*numbers.entry(key).or_insert(next))
    })
    .collect()
}

/// The specs of [`ENCODERS`].
pub(crate) fn specs(features: &Features) -> Vec<EncoderSpec> {
    let is_read = |spec: &&EncoderSpec| ENCODERS.contains(&spec.name.as_str());
    features.specs.iter().filter(is_read).cloned().collect()
}

/// Hash over what a run takes from the posts and over which pictures they have.
pub(crate) fn fingerprint(posts: &[Post], features: &Features) -> String {
    let line = |(post, key): (&Post, &Option<Key>)| {
        let Post {
            id,
            split,
            label,
            event,
            ..
        } = post;
        let text = post.encoder_text();
        format!("{id:?} {split} {label:?} {event:?} {key:?} {text:?}\n")
    };
    let lines: String = posts.iter().zip(&features.image_key).map(line).collect();
    Key::of(lines.as_bytes()).to_string()
}
