//! Encoders that are trained while a head trains: pixels, or the map of a frozen layer, in; pooled features out, and on
//! into the head.

mod online;
mod resnet;
mod resnet_config;

pub use online::Online;
pub use resnet::{Block, Convolution, Resnet};
pub use resnet_config::{BlockKind, Layout, Norms, Reads, ResnetConfig, Trained as TrainedLayers};
