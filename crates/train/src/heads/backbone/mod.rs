//! Encoders that are trained while a head trains: pixels, or the map of a frozen layer, in; pooled features out, and on
//! into the head.

mod online;
mod resnet;

pub use online::Online;
pub use resnet::{
    Block, BlockKind, Convolution, Layout, Norms, Reads, Resnet, ResnetConfig,
    Trained as TrainedLayers,
};
