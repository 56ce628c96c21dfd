//! What the benchmarks have in common: features and heads at full size, and the program's allocator.

use mmfnd_train::heads::Sizes;

#[global_allocator] // as in the program
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sizes of BERT's, CLIP's and ResNet's features.
pub const SIZES: Sizes = Sizes {
    layers: 13,
    bert: 768,
    resnet: 2048,
    resnet_classes: 1000,
    clip: 512,
    vgg: 0,
    vgg_classes: 0,
    ela: 0,
    tokens: 0,
    events: 0,
    posts: 0,
};
