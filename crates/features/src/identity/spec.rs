//! What an encoder is, as the store records it: another model, preprocessing or output is another encoder.

use std::fmt;

use mmfnd_posts::Post;
use serde::{Deserialize, Serialize};

use super::key::Key;
use super::maker::Maker;

/// What an encoder reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Input {
    /// The text as its author wrote it.
    #[serde(rename = "text")]
    Text,
    /// The text and, where it is known, the text found in the picture.
    #[serde(rename = "text+ocr")]
    TextOcr,
    /// The picture file.
    #[serde(rename = "image")]
    Image,
}

impl Input {
    /// The text that an encoder with this input sees of a post; `None` for pictures.
    pub fn text(self, post: &Post) -> Option<String> {
        match self {
            Self::Text => Some(post.text.clone()),
            Self::TextOcr => Some(post.encoder_text()),
            Self::Image => None,
        }
    }

    /// The key of [`Input::text`].
    pub fn text_key(self, post: &Post) -> Option<Key> {
        self.text(post).map(|text| Key::of(text.as_bytes()))
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::TextOcr => "text+ocr",
            Self::Image => "image",
        })
    }
}

/// Precision of a model's arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// Products of bfloat16, summed in 32-bit floats; all else in 32-bit floats.
    Bf16,
    /// Quantised to 8 bits.
    Int8,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        })
    }
}

/// How values are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// 32-bit floats: what the encoder said, bit for bit.
    F32,
    /// 16-bit floats, rounded to nearest: half the size.
    #[default]
    F16,
}

impl ValueType {
    /// Bytes of one value.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        })
    }
}

/// An encoder and its output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderSpec {
    /// Name of the feature: `bert`, `clip_text`, `clip_image`, `resnet`; letters, digits, `_` and `-`.
    pub name: String,
    /// What it reads.
    pub input: Input,
    /// Shape of one row, such as `[13, 768]`.
    pub shape: Vec<usize>,
    /// Whether a content has as many rows of the last axis as it has tokens, of which `shape` says the most.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ragged: bool,
    /// How values are stored.
    pub value_type: ValueType,
    /// Hash over model bytes, preprocessing, output and precision.
    pub fingerprint: String,
    /// The model, for people.
    pub model: String,
    /// The preset that named it.
    pub preset: String,
    /// Precision of the model's arithmetic.
    pub precision: Precision,
    /// The execution provider that ran it.
    pub provider: String,
    /// SHA-256 of the classification layer that comes with the features, if any.
    pub classifier_sha256: Option<String>,
}

impl EncoderSpec {
    /// Who makes rows of it where nothing else is known.
    pub(crate) fn maker(&self) -> Maker {
        Maker {
            provider: self.provider.clone(),
            precision: self.precision.to_string(),
            machine: None,
        }
    }

    /// Values in a row; of a ragged one the most.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// Values of one token of a ragged row.
    pub fn token_width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Where the values of each row begin, and where the last one's end: of `count` rows, or of ragged ones of so many
    /// tokens each.
    pub(crate) fn starts(&self, count: usize, tokens: &[u32]) -> Vec<usize> {
        if !self.ragged {
            return (0..=count).map(|row| row * self.width()).collect();
        }
        assert_eq!(tokens.len(), count, "a number of tokens for each row");
        let mut starts = vec![0];
        starts.extend(tokens.iter().scan(0, |end, &tokens| {
            *end += tokens as usize * self.token_width();
            Some(*end)
        }));
        starts
    }

    /// Bytes of a stored row; of a ragged one the most.
    pub(crate) fn row_bytes(&self) -> usize {
        self.width() * self.value_type.bytes()
    }

    /// Whether rows of the two may stand in one table.
    pub(crate) fn is_same_encoder(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
            && self.input == other.input
            && self.shape == other.shape
            && self.ragged == other.ragged
            && self.value_type == other.value_type
    }

    /// What [`EncoderSpec::is_same_encoder`] compares, in words.
    pub(crate) fn identity(&self) -> String {
        format!(
            "{} {:?} {} from {}, fingerprint {} (preset `{}`, model `{}`)",
            self.name,
            self.shape,
            self.value_type,
            self.input,
            self.short_fingerprint(),
            self.preset,
            self.model
        )
    }

    /// The first 12 characters of the fingerprint.
    pub fn short_fingerprint(&self) -> &str {
        let end = self.fingerprint.char_indices().nth(12);
        &self.fingerprint[..end.map_or(self.fingerprint.len(), |(index, _)| index)]
    }

    /// What is wrong with the name or shape, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.name.is_empty() || !self.name.chars().all(allowed) {
            return Some("its name names a folder: use letters, digits, `_` and `-` only");
        }
        let width = self.shape.iter().try_fold(1usize, |width, &size| {
            width.checked_mul(size).filter(|&width| width > 0)
        });
        match width.map(i32::try_from) {
            _ if self.ragged && self.shape.len() != 2 => {
                Some("a ragged one has the shape [tokens, width]")
            }
            Some(Ok(_)) if !self.shape.is_empty() => None,
            _ => Some("its shape has to hold at least one value, and fewer than 2^31"),
        }
    }
}
