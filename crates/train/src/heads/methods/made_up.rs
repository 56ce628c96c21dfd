//! Features of made-up posts, small ones, for the tests of this folder.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use crate::heads::{Init, Inputs, Noise, Sizes, Targets, Tokens};

/// Posts: real and fake ones in turn.
pub(super) const POSTS: usize = 8;

pub(super) const SIZES: Sizes = Sizes {
    layers: 3,
    bert: 8,
    resnet: 10,
    resnet_classes: 7,
    clip: 6,
    vgg: 11,
    vgg_classes: 7,
    ela: 9,
    tokens: 8,
    events: 3,
    posts: POSTS,
};

/// Normals, other ones for each place.
pub(super) fn normals<const D: usize>(
    place: usize,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Noise::new(11, 1).normals(place, shape, device)
}

/// Features and targets of eight posts of one to five tokens.
pub(super) fn inputs(device: &Device) -> Inputs {
    let lengths: Vec<_> = (0..POSTS).map(|post| 1 + post % 5).collect();
    let matrix = |place, width| Some(normals(place, [POSTS, width], device));
    let class = |class| (0..POSTS).filter(|post| post % 2 == class).collect();
    Inputs {
        bert: Some(normals(0, [POSTS, SIZES.layers, SIZES.bert], device)),
        resnet: matrix(1, SIZES.resnet),
        clip_text: matrix(2, SIZES.clip),
        clip_image: matrix(3, SIZES.clip),
        vgg: matrix(6, SIZES.vgg),
        ela: matrix(7, SIZES.ela),
        image_logits: matrix(4, SIZES.resnet_classes),
        tokens: Some(Tokens {
            rows: normals(5, [lengths.iter().sum(), SIZES.tokens], device),
            lengths,
        }),
        pictures: None,
        mask: None,
        targets: Some(Targets {
            labels: (0..POSTS).map(|post| post % 2).collect(),
            events: (0..POSTS)
                .map(|post| (post > 0).then_some(post % 3))
                .collect(),
            pictures: (0..POSTS).collect(),
            posts: (0..POSTS).collect(),
            classes: Arc::new([class(0), class(1)]),
        }),
    }
}

/// A generator of first values.
pub(super) fn init(device: &Device) -> Init<'_> {
    Init::new(3, device)
}

pub(super) fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    let values = x.into_data().convert::<f32>().try_into_vec::<f32>();
    values.expect("converted to the type that is asked for")
}
