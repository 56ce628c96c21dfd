//! The columns that a head reads, and what else a run takes from posts and features.

use std::collections::HashMap;

use mmfnd_features::{Column, EncoderSpec, Features, Key};
use mmfnd_posts::Post;

use crate::ahead::Ahead;
use crate::error::DataProblem;
use crate::heads::Sizes;

/// The encoders that heads know.
pub const ENCODERS: [&str; 4] = ["bert", "clip_text", "clip_image", "resnet"];
/// What the rows of each have to be.
const SHAPES: [(usize, &str); 4] = [
    (2, "[layers, width]: the `[CLS]` state of each layer"),
    (1, "[width]: one vector a text"),
    (1, "[width]: one vector a picture"),
    (1, "[width]: one pooled vector a picture"),
];
/// Classes of ResNet's layer where the store has none.
const IMAGENET_CLASSES: usize = 1000;

/// The columns that a head reads, in the order of [`ENCODERS`].
#[derive(Clone, Copy, Debug)]
pub struct Dataset<'a> {
    columns: [Option<&'a Column>; 4],
    image_key: &'a [Option<Key>],
}

impl<'a> Dataset<'a> {
    /// Finds the columns of some of [`ENCODERS`] and checks their shapes.
    pub fn new(features: &'a Features, encoders: &[&'static str]) -> Result<Self, DataProblem> {
        let mut columns = [None; 4];
        for (index, name) in ENCODERS.into_iter().enumerate() {
            if encoders.contains(&name) {
                columns[index] = Some(column(features, name, SHAPES[index])?);
            }
        }
        if let [_, Some(text), Some(image), _] = columns
            && text.shape != image.shape
        {
            return Err(DataProblem::Shape {
                name: "clip_image",
                shape: image.shape.clone(),
                expected: "the width of `clip_text`: the two have to come from one model",
            });
        }
        Ok(Self {
            columns,
            image_key: &features.image_key,
        })
    }

    /// Sizes of the features, 0 of those that are not read, with the classes of ResNet's layer.
    pub fn sizes(&self, resnet_classes: Option<usize>) -> Sizes {
        let [bert, clip_text, clip_image, resnet] = self.columns;
        let width = |column: Option<&Column>| column.map_or(0, Column::width);
        Sizes {
            layers: bert.map_or(0, |bert| bert.shape[0]),
            bert: bert.map_or(0, |bert| bert.shape[1]),
            resnet: width(resnet),
            resnet_classes: resnet.map_or(0, |_| resnet_classes.unwrap_or(IMAGENET_CLASSES)),
            clip: width(clip_text.or(clip_image)),
        }
    }

    /// Whether a post has a picture and all features: also a head that reads texts alone is trained on the posts that the others are trained on.
    pub fn is_usable(&self, row: usize) -> bool {
        let mut columns = self.columns.iter().flatten();
        self.image_key[row].is_some() && columns.all(|column| column.row_of(row).is_some())
    }

    /// The columns, in the order of [`ENCODERS`]; none of those that are not read.
    pub(crate) fn columns(&self) -> [Option<&'a Column>; 4] {
        self.columns
    }

    /// Features of batches, in this order; what is on the disk is read ahead.
    pub(crate) fn ahead(&self, batches: Vec<Vec<usize>>) -> Ahead<'_> {
        Ahead::new(self, batches)
    }
}

/// The column of an encoder, with as many axes as it has to have.
fn column<'a>(
    features: &'a Features,
    name: &'static str,
    (rank, expected): (usize, &'static str),
) -> Result<&'a Column, DataProblem> {
    let column = features.column(name);
    let column = column.ok_or(DataProblem::NoEncoder { name })?;
    match column.shape.len() == rank {
        true => Ok(column),
        false => Err(DataProblem::Shape {
            name,
            shape: column.shape.clone(),
            expected,
        }),
    }
}

/// Labels of posts that are trained on, 1 for fake.
pub(crate) fn labels(posts: &[Post], rows: &[usize]) -> Vec<usize> {
    let label = |&row: &usize| {
        posts[row]
            .label
            .expect("only labelled posts are trained on")
    };
    rows.iter().map(label).map(|label| label.index()).collect()
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

/// The specs of the encoders that a head reads.
pub(crate) fn specs(features: &Features, encoders: &[&str]) -> Vec<EncoderSpec> {
    let is_read = |spec: &&EncoderSpec| encoders.contains(&spec.name.as_str());
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
