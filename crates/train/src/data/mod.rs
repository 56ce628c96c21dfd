//! Posts and the features of a store in, batches of features out, in the order in which they are wanted; and which
//! posts are trained on, selected on and reported.

mod augment;
mod card_features;
mod class_layer;
mod columns;
mod dataset;
mod identity;
mod maps;
mod numbering;
mod pixels;
mod prefetch;
mod split;

pub(crate) use augment::Augment;
pub(crate) use card_features::CardFeatures;
pub(crate) use class_layer::ClassLayer;
pub(crate) use columns::{COLUMNS, Each};
pub use columns::{ENCODERS, TOKENS};
pub use dataset::Dataset;
pub(crate) use dataset::{Shared, labels, pictures};
pub(crate) use identity::{fingerprint, specs};
pub(crate) use numbering::Numbering;
pub(crate) use pixels::Pixels;
pub(crate) use prefetch::Prefetch;
pub(crate) use split::Picture;
pub use split::Splits;
