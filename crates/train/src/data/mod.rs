//! Posts and the features of a store in, batches of features out, in the order in which they are wanted; and which
//! posts are trained on, selected on and reported.

mod augment;
mod card_features;
mod dataset;
mod identity;
mod maps;
mod numbering;
mod pixels;
mod prefetch;
mod resnet_layer;
mod split;

pub(crate) use augment::Augment;
pub(crate) use card_features::CardFeatures;
pub use dataset::{Dataset, ENCODERS, TOKENS};
pub(crate) use dataset::{Shared, labels, pictures};
pub(crate) use identity::{fingerprint, specs};
pub(crate) use numbering::Numbering;
pub(crate) use pixels::Pixels;
pub(crate) use prefetch::Prefetch;
pub(crate) use resnet_layer::ResnetLayer;
pub(crate) use split::Picture;
pub use split::Splits;
