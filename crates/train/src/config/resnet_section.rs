//! The section `[resnet]` of an experiment: ResNet is trained with the head.

use serde::{Deserialize, Serialize};
use strum::VariantNames;

use super::train_section::TrainConfig;
use crate::heads::{Norms, Reads, TrainedLayers};
use crate::options::{Options, options, within};

/// The feature that the maps are which ResNet's fourth layer reads.
pub const MAPS: &str = "resnet_map";

options! {
    /// How ResNet is trained with the head.
    pub struct OnlineConfig in "resnet" {
        /// from which layer on ResNet is trained with the head; `fc`: no further than without this section, the
        /// classification layer alone, over the cached features; `layer4` reads maps of the store, `layer3` and `all`
        /// the pictures
        unfreeze: Unfreeze = Unfreeze::Layer4, words Unfreeze::VARIANTS;
        /// step size for ResNet's weights, after their warm-up; a tenth of `train.learning_rate` where nothing is said
        learning_rate: f64 = TENTH * TrainConfig::default().learning_rate, range 1e-9..=1.0;
        /// decay of ResNet's weights; `train.weight_decay` where nothing is said
        weight_decay: f64 = TrainConfig::default().weight_decay, range 0.0..=1.0;
        /// epochs, or parts of one, in which that learning rate rises to its full size; 0 for none
        warmup_epochs: f64 = 0.0, text "0 to `train.epochs`";
        /// whether ResNet's batch norms go by their running statistics and stay as they are, or by the batch and are
        /// trained
        batch_norm: Norms = Norms::Frozen, words Norms::VARIANTS;
        /// what is done to a picture each time that ResNet is trained on it, where it is trained from pictures:
        /// nothing, or a random part of it is taken and perhaps mirrored, as torchvision's `RandomResizedCrop` and
        /// `RandomHorizontalFlip`
        augment: Augmentation = Augmentation::None, words Augmentation::VARIANTS;
        /// the least share of a picture that such a part is
        smallest_part: f64 = 0.08, range 0.01..=1.0;
    }
}

/// The backbone's rate, where nothing is said, of the head's.
const TENTH: f64 = 0.1;

impl OnlineConfig {
    /// Nothing set, beside a head that is trained so.
    pub(super) fn of(train: &TrainConfig) -> Self {
        Self {
            learning_rate: TENTH * train.learning_rate,
            weight_decay: train.weight_decay,
            ..Self::default()
        }
    }

    /// Whether every number is in its range.
    pub(super) fn check(&self, train: &TrainConfig) -> Result<(), String> {
        self.check_ranges()?;
        let epochs = train.epochs as f64; // a longer warm-up would never end
        within("resnet.warmup_epochs", &self.warmup_epochs, 0.0..=epochs)?;
        let trained = self.unfreeze.trained();
        match self.augment == Augmentation::None || trained.is_some_and(|trained| trained.reads() == Reads::Pixels) {
            true => Ok(()),
            false => Err("`resnet.augment` is for pictures; with `resnet.unfreeze` of `layer3` or `all` ResNet is trained from them".to_owned()),
        }
    }

    /// [`TrainConfig`] as it holds for ResNet's weights.
    pub(crate) fn training(&self, head: &TrainConfig) -> TrainConfig {
        TrainConfig {
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
            warmup_epochs: self.warmup_epochs,
            ..head.clone()
        }
    }
}

/// What is done to pictures that ResNet is trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Augmentation {
    /// They stay as they are.
    #[default]
    None,
    /// A random part, mirrored every second time.
    CropFlip,
}

/// From which layer on ResNet is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Unfreeze {
    /// Its classification layer, which heads train anyway.
    Fc,
    /// The fourth layer, from the third one's maps.
    #[default]
    Layer4,
    /// The third and the fourth layer, from pictures.
    Layer3,
    /// All of it, from pictures.
    All,
}

impl Unfreeze {
    /// The layers that are trained with the head, if any are.
    pub fn trained(self) -> Option<TrainedLayers> {
        match self {
            Self::Fc => None,
            Self::Layer4 => Some(TrainedLayers::Layer4),
            Self::Layer3 => Some(TrainedLayers::Layer3),
            Self::All => Some(TrainedLayers::All),
        }
    }
}
