//! The maps that a ResNet is trained from, each distinct picture of a batch once; and the features that a trained one
//! makes of them.

use std::collections::HashMap;

use burn::tensor::{Device, Int, Tensor, TensorData};
use mmfnd_features::{Column, ColumnValues, Error, Values};
use rayon::prelude::*;

use crate::heads::{Pictures, Resnet};
use crate::weights::numbers;

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
    pub fn of(column: &Column, posts: &[usize]) -> Self {
        let (mut numbers, mut firsts) = (HashMap::new(), Vec::new());
        let number = |&post: &usize| {
            let row = column.row_of(post);
            *numbers.entry(row).or_insert_with(|| {
                firsts.push(post);
                firsts.len() as i64 - 1
            })
        };
        let of = posts.iter().map(number).collect();
        Self { posts: firsts, of }
    }

    /// With their maps, as [`read`] gives them.
    pub fn tensors(self, maps: Vec<f32>, shape: &[usize], device: &Device) -> Pictures {
        let of = TensorData::from(self.of.as_slice());
        Pictures {
            maps: tensor(maps, shape, device),
            of: Tensor::<1, Int>::from_data(of, device),
        }
    }
}

fn tensor(maps: Vec<f32>, shape: &[usize], device: &Device) -> Tensor<4> {
    let [channels, height, width] = *shape else {
        unreachable!("the shape was checked: three axes");
    };
    let pictures = maps.len() / (channels * height * width);
    let data = TensorData::new(maps, [pictures, height, width, channels]);
    Tensor::from_data(data, device)
}

/// The maps of some posts' pictures, channels side by side; why one cannot be read, with the post.  `[P, H, W, C]`
pub(super) fn read(column: &Column, posts: &[usize]) -> Result<Vec<f32>, (usize, Error)> {
    let (width, channels) = (column.width(), column.shape[0]);
    let mut values = vec![0.0; posts.len() * width];
    let targets = values.par_chunks_exact_mut(width).zip(posts);
    targets.try_for_each_init(
        || vec![0.0; width],
        |stored, (target, &post)| {
            column
                .read_row(post, stored)
                .map_err(|error| (post, error))?;
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
    (column, posts): (&Column, &[usize]),
    backbone: &Resnet,
    device: &Device,
) -> Result<Column, (usize, Error)> {
    let distinct = Distinct::of(column, posts);
    let mut values = Vec::new();
    for some in distinct.posts.chunks(TOGETHER) {
        let maps = tensor(read(column, some)?, &column.shape, device);
        values.extend(numbers(backbone.forward(maps)));
    }
    let mut row = vec![Column::NONE; column.row.len()];
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
