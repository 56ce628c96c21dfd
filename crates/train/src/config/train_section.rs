//! The section `[train]` of an experiment.

use mmfnd_posts::Split;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::heads::within;

/// How a head is trained; the defaults are the paper's (difference 11).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Step size of AdamW, after the warm-up.
    #[serde(alias = "lr")] // as in `keys`
    pub learning_rate: f64,
    /// What becomes of it.
    pub schedule: Schedule,
    /// Epochs, or parts of one, in which it rises to its full size; 0 for none.
    pub warmup_epochs: f64,
    /// Decay of AdamW.
    pub weight_decay: f64,
    /// Largest norm of all gradients together; 0 for any.
    pub clip_norm: f64,
    /// Weight of each class in the loss.
    pub class_weights: ClassWeights,
    /// Share of a post's target that is spread evenly over both classes.
    pub label_smoothing: f64,
    /// Posts in a step.
    pub batch_size: usize,
    /// Passes over the training posts.
    pub epochs: usize,
    /// Epochs without a better one after which the training ends; 0 for never.
    pub patience: usize,
    /// Of first values, order of posts, dropout, and the validation split where one is made.
    pub seed: u64,
    /// What becomes of posts that lack a modality.
    pub missing: Missing,
    /// The split by whose accuracy the epoch is chosen.
    pub select: Select,
    /// Share of the training posts that become validation posts, where there are none.
    pub validation_share: f64,
    /// Epochs from one checkpoint to the next.
    pub checkpoint_every: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-4,
            schedule: Schedule::Constant,
            warmup_epochs: 0.0,
            weight_decay: 0.01,
            clip_norm: 0.0,
            class_weights: ClassWeights::None,
            label_smoothing: 0.0,
            batch_size: 64,
            epochs: 100,
            patience: 0,
            seed: 1,
            missing: Missing::Drop,
            select: Select::Validation,
            validation_share: 0.15,
            checkpoint_every: 1,
        }
    }
}

impl TrainConfig {
    /// Whether every number is in its range.
    pub(crate) fn check(&self) -> Result<(), String> {
        within("train.learning_rate", self.learning_rate, 1e-8..=1.0)?;
        within("train.weight_decay", self.weight_decay, 0.0..=1.0)?;
        within("train.clip_norm", self.clip_norm, 0.0..=1e6)?;
        within("train.label_smoothing", self.label_smoothing, 0.0..=0.9)?;
        within("train.batch_size", self.batch_size, 2..=65_536)?;
        within("train.epochs", self.epochs, 1..=100_000)?;
        within("train.patience", self.patience, 0..=100_000)?;
        let epochs = self.epochs as f64; // a longer warm-up would never end
        within("train.warmup_epochs", self.warmup_epochs, 0.0..=epochs)?;
        let share = self.validation_share;
        within("train.validation_share", share, 0.01..=0.5)?;
        let checkpoint_every = self.checkpoint_every;
        within("train.checkpoint_every", checkpoint_every, 1..=100_000)?;
        if let ClassWeights::Given([real, fake]) = self.class_weights {
            within("train.class_weights", real, 1e-3..=1e3)?;
            within("train.class_weights", fake, 1e-3..=1e3)?;
        }
        Ok(())
    }
}

/// 12: the split by whose accuracy the epoch is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Select {
    /// Posts that are neither trained on nor reported.
    #[default]
    Validation,
    /// As the paper does; the figures are optimistic.
    Test,
}

impl Select {
    /// The split.
    pub fn split(self) -> Split {
        match self {
            Self::Validation => Split::Validation,
            Self::Test => Split::Test,
        }
    }
}

/// 14: what becomes of posts that lack a modality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Posts without a picture that can be used are left out.
    #[default]
    Drop,
    /// They are kept, and so are posts without text; what they lack is masked.
    Mask,
}

/// What becomes of the learning rate after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It stays.
    #[default]
    Constant,
    /// It falls to zero along half a cosine.
    Cosine,
}

/// Weights of the classes in the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum ClassWeights {
    /// 1 and 1.
    #[default]
    None,
    /// By the training posts, so that both classes count alike.
    Balanced,
    /// Of real and of fake.
    Given([f64; 2]),
}

impl TryFrom<Value> for ClassWeights {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let number = |value: &Value| value.as_float().or(value.as_integer().map(|i| i as f64));
        let given = value.as_array().map(Vec::as_slice);
        match (value.as_str(), given) {
            (Some("none"), _) => Ok(Self::None),
            (Some("balanced"), _) => Ok(Self::Balanced),
            (_, Some([real, fake])) => (number(real).zip(number(fake)))
                .map(|(real, fake)| Self::Given([real, fake]))
                .ok_or_else(|| format!("{value} are no two numbers")),
            _ => Err(format!(
                "class weights are `none`, `balanced` or [real, fake], not {value}"
            )),
        }
    }
}

impl From<ClassWeights> for Value {
    fn from(weights: ClassWeights) -> Self {
        match weights {
            ClassWeights::None => "none".into(),
            ClassWeights::Balanced => "balanced".into(),
            ClassWeights::Given(weights) => weights.to_vec().into(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Config;

    fn set(setting: &str) -> Result<TrainConfig, String> {
        let config = Config::read(None, &[setting.to_owned()]);
        config
            .map(|config| config.train)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn class_weights_are_a_word_or_two_numbers() {
        let of = |setting| set(setting).unwrap().class_weights;
        assert_eq!(of("train.class_weights=balanced"), ClassWeights::Balanced);
        assert_eq!(
            of("train.class_weights=[1, 2.5]"),
            ClassWeights::Given([1.0, 2.5])
        );
        for wrong in ["fair", "[1]", "[1, \"a\"]", "3", "[0, 1]"] {
            let error = set(&format!("train.class_weights={wrong}")).unwrap_err();
            assert!(
                error.contains("class_weights") || error.contains("class weights"),
                "{error}"
            );
        }
        let config = Config::read(None, &["train.class_weights=[1, 2]".to_owned()]).unwrap();
        assert_eq!(
            Config::parse(&config.to_toml(), "config.toml").unwrap(),
            config
        );
    }

    #[test]
    fn a_warm_up_is_no_longer_than_the_training() {
        assert!(set("train.warmup_epochs=2.5").is_ok());
        let error = set("train.warmup_epochs=101").unwrap_err();
        assert!(error.contains("from 0 to 100"), "{error}");
    }
}
