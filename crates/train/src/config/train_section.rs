//! The section `[train]` of an experiment.

use mmfnd_posts::Split;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use toml::Value;

use crate::heads::Training;
use crate::options::{Options, options, within};

options! {
    /// How a head is trained; the defaults are the head's, MMFND's those of its paper (difference 11).
    pub struct TrainConfig in "train" {
        /// step size of AdamW, after the warm-up
        #[serde(alias = "lr")] // as in `keys`
        learning_rate: f64 = Training::PAPER.learning_rate, range 1e-8..=1.0;
        /// what becomes of the learning rate after the warm-up: it stays, or falls to zero along half a cosine
        schedule: Schedule = Schedule::Constant, words Schedule::VARIANTS;
        /// epochs, or parts of one, in which the learning rate rises to its full size; 0 for none
        warmup_epochs: f64 = Training::PAPER.warmup_epochs, text "0 to `train.epochs`";
        /// decay of AdamW
        weight_decay: f64 = Training::PAPER.weight_decay, range 0.0..=1.0;
        /// largest norm of all gradients together, as PyTorch's `clip_grad_norm_`; 0 for any
        clip_norm: f64 = Training::PAPER.clip_norm, range 0.0..=1e6;
        /// weight of each class in the loss; `balanced`: training posts / (2 · posts of the class)
        class_weights: ClassWeights = ClassWeights::None,
            text "none, balanced, or [real, fake], each 0.001 to 1000";
        /// share of a post's target that is spread evenly over both classes
        label_smoothing: f64 = 0.0, range 0.0..=0.9;
        /// posts in a step; a last batch of one post is skipped, since it has no variance
        batch_size: usize = Training::PAPER.batch_size, range 2..=65_536;
        /// batches whose gradients are added up before the weights change: a step on so many times the posts with the
        /// memory of one batch; batch norms see one batch at a time
        accumulate: usize = 1, range 1..=4_096;
        /// passes over the training posts
        epochs: usize = Training::PAPER.epochs, range 1..=100_000;
        /// epochs without a better one (by the rule of `best` in `metrics.jsonl`) after which the training ends; 0 for
        /// never
        patience: usize = Training::PAPER.patience, range 0..=100_000;
        /// of first values, order of posts, dropout, and the validation split where one is made
        seed: u64 = 1, text "a whole number";
        /// what becomes of posts that lack a modality: those without a usable picture are left out, or all are kept and
        /// what they lack is masked (14)
        missing: Missing = Missing::Drop, words Missing::VARIANTS;
        /// the split by whose accuracy the epoch is chosen (12); by `test` it is optimistic
        select: Select = Select::Validation, words Select::VARIANTS;
        /// share of the training posts that become validation posts, where there are none
        validation_share: f64 = 0.15, range 0.01..=0.5;
        /// epochs from one checkpoint to the next
        checkpoint_every: usize = 1, range 1..=100_000;
    }
}

impl TrainConfig {
    /// Nothing set, for a head that is trained so.
    pub(super) fn of(head: &Training) -> Self {
        Self {
            learning_rate: head.learning_rate,
            schedule: match head.cosine {
                true => Schedule::Cosine,
                false => Schedule::Constant,
            },
            warmup_epochs: head.warmup_epochs,
            weight_decay: head.weight_decay,
            clip_norm: head.clip_norm,
            batch_size: head.batch_size,
            epochs: head.epochs,
            patience: head.patience,
            ..Self::default()
        }
    }

    /// Whether every number is in its range.
    pub(super) fn check(&self) -> Result<(), String> {
        self.check_ranges()?;
        let epochs = self.epochs as f64; // a longer warm-up would never end
        within("train.warmup_epochs", &self.warmup_epochs, 0.0..=epochs)?;
        if let ClassWeights::Given([real, fake]) = self.class_weights {
            within("train.class_weights", &real, 1e-3..=1e3)?;
            within("train.class_weights", &fake, 1e-3..=1e3)?;
        }
        Ok(())
    }
}

/// 12: the split by whose accuracy the epoch is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Missing {
    /// Posts without a picture that can be used are left out.
    #[default]
    Drop,
    /// They are kept, and so are posts without text; what they lack is masked.
    Mask,
}

/// What becomes of the learning rate after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
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
