//! What a ResNet is trained from, each distinct picture of a batch once: maps of the store, or pictures; and the
//! features that a trained one makes of them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use mmfnd_features::{Column, ColumnValues, Values};
use mmfnd_pictures::Refusal;
use rayon::prelude::*;

use super::augment::Augment;
use super::pixels::Pixels;
use crate::Error;
use crate::heads::{Pictures, Resnet};
use crate::weights::numbers;

/// Where a ResNet finds what it reads.
#[derive(Clone, Debug)]
pub(crate) enum Source<'a> {
    /// Maps of a frozen layer, in the store.
    Maps(&'a Column),
    /// The pictures themselves.
    Pictures(Arc<Pixels>),
}

/// A source that a thread reads ahead of the steps.
#[derive(Debug)]
pub(super) enum Ahead {
    Maps(Column),
    Pictures(Arc<Pixels>),
}

/// Why something of a post cannot be read.
#[derive(Debug)]
pub(super) enum Unread {
    Features(mmfnd_features::Error),
    Picture(PathBuf, Refusal),
}

impl Unread {
    /// As an error that names the post.
    pub fn of_post(self, row: usize, id: &str) -> Error {
        match self {
            Self::Features(error) => error.of_post(row, id).into(),
            Self::Picture(path, source) => Error::Picture {
                post: id.to_owned(),
                path,
                source,
            },
        }
    }
}

impl From<mmfnd_features::Error> for Unread {
    fn from(error: mmfnd_features::Error) -> Self {
        Self::Features(error)
    }
}

impl Source<'_> {
    /// For a thread that reads ahead, where reading takes time.
    pub(super) fn ahead(&self) -> Option<Ahead> {
        match self {
            Self::Maps(column) if column.is_on_disk() => Some(Ahead::Maps((*column).clone())),
            Self::Maps(_) => None,
            Self::Pictures(pixels) => Some(Ahead::Pictures(Arc::clone(pixels))),
        }
    }

    /// The number of a post's picture.
    pub fn number_of(&self, post: usize) -> Option<usize> {
        match self {
            Self::Maps(column) => column.row_of(post),
            Self::Pictures(pixels) => pixels.number_of(post),
        }
    }

    /// Height, width and channels.
    pub fn shape(&self) -> [usize; 3] {
        match self {
            Self::Maps(column) => [column.shape[1], column.shape[2], column.shape[0]],
            Self::Pictures(pixels) => pixels.shape(),
        }
    }

    /// Of some posts' pictures what a ResNet reads, varied where that is asked for, channels side by side.
    /// `[P, H, W, C]`
    pub(super) fn read(
        &self,
        posts: &[usize],
        augment: Option<&Augment>,
    ) -> Result<Vec<f32>, (usize, Unread)> {
        match self {
            Self::Maps(column) => read_maps(column, posts),
            Self::Pictures(pixels) => read_pictures(pixels, posts, augment),
        }
    }
}

impl Ahead {
    /// As [`Source::read`].
    pub fn read(
        &self,
        posts: &[usize],
        augment: Option<&Augment>,
    ) -> Result<Vec<f32>, (usize, Unread)> {
        match self {
            Self::Maps(column) => read_maps(column, posts),
            Self::Pictures(pixels) => read_pictures(pixels, posts, augment),
        }
    }
}

/// Pictures that go through a ResNet together where nothing is trained: what they need stays in a core's cache.
const TOGETHER: usize = 8;

/// The distinct pictures of some posts.
#[derive(Clone, Debug)]
pub(super) struct Distinct {
    /// A post that has it, for each.
    pub posts: Vec<usize>,
    /// For each post that was asked for the number of its picture.
    of: Vec<i64>,
}

impl Distinct {
    /// Of posts that have a picture, in the order in which they come.
    pub fn of(source: &Source, posts: &[usize]) -> Self {
        let (mut numbers, mut firsts) = (HashMap::new(), Vec::new());
        let number = |&post: &usize| {
            let picture = source.number_of(post);
            *numbers.entry(picture).or_insert_with(|| {
                firsts.push(post);
                firsts.len() as i64 - 1
            })
        };
        let of = posts.iter().map(number).collect();
        Self { posts: firsts, of }
    }

    /// With what [`Source::read`] gives of them.
    pub fn tensors(self, maps: Vec<f32>, shape: [usize; 3], device: &Device) -> Pictures {
        let of = TensorData::from(self.of.as_slice());
        Pictures {
            maps: tensor(maps, shape, device),
            of: Tensor::<1, Int>::from_data(of, device),
        }
    }
}

fn tensor(maps: Vec<f32>, [height, width, channels]: [usize; 3], device: &Device) -> Tensor<4> {
    let pictures = maps.len() / (height * width * channels);
    let data = TensorData::new(maps, [pictures, height, width, channels]);
    Tensor::from_data(data, device)
}

fn read_pictures(
    pixels: &Pixels,
    posts: &[usize],
    augment: Option<&Augment>,
) -> Result<Vec<f32>, (usize, Unread)> {
    let width = pixels.shape().iter().product();
    let mut values = vec![0.0; posts.len() * width];
    let targets = values.par_chunks_exact_mut(width).zip(posts);
    targets.try_for_each(|(target, &post)| {
        let read = pixels.read(post, augment, target);
        read.map_err(|(path, refusal)| (post, Unread::Picture(path, refusal)))
    })?;
    Ok(values)
}

fn read_maps(column: &Column, posts: &[usize]) -> Result<Vec<f32>, (usize, Unread)> {
    let (width, channels) = (column.width(), column.shape[0]);
    let mut values = vec![0.0; posts.len() * width];
    let targets = values.par_chunks_exact_mut(width).zip(posts);
    targets.try_for_each_init(
        || vec![0.0; width],
        |stored, (target, &post)| {
            column
                .read_row(post, stored)
                .map_err(|error| (post, error.into()))?;
            let places = stored.len() / channels;
            for (channel, stored) in stored.chunks_exact(places).enumerate() {
                let of_channel = target[channel..].iter_mut().step_by(channels);
                of_channel.zip(stored).for_each(|(to, from)| *to = *from);
            }
            Ok(())
        },
    )?;
    Ok(values)
}

/// What a ResNet makes of the pictures of some posts: each distinct one once, for all posts a column.
pub(super) fn pooled(
    (source, posts): (&Source, &[usize]),
    of_all: usize,
    backbone: &Resnet,
    device: &Device,
) -> Result<Column, (usize, Unread)> {
    let distinct = Distinct::of(source, posts);
    let mut values = Vec::new();
    for some in distinct.posts.chunks(TOGETHER) {
        let maps = tensor(source.read(some, None)?, source.shape(), device);
        values.extend(numbers(backbone.forward(maps)));
    }
    let mut row = vec![Column::NONE; of_all];
    for (&post, &number) in posts.iter().zip(&distinct.of) {
        row[post] = number as u32;
    }
    let width = values.len() / distinct.posts.len().max(1);
    Ok(Column {
        shape: vec![width],
        values: ColumnValues::Memory(Values::F32(values)),
        row,
        starts: Vec::new(),
    })
}
