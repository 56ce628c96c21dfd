//! An experiment file and settings in, a configuration with every option set out.

mod catalogue;
mod experiment;
mod head;
mod keys;
mod reading;
mod resnet_section;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod train_section;

pub use catalogue::{HEADS, HeadKind};
pub use experiment::{Config, leaves};
pub use head::HeadConfig;
pub(crate) use keys::full_key;
pub(crate) use resnet_section::Augmentation;
pub use resnet_section::{MAPS, OnlineConfig, Unfreeze};
pub use train_section::{ClassWeights, Missing, Schedule, Select, TrainConfig};
