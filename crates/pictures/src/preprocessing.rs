//! How a preset says what becomes of pictures.

use serde::{Deserialize, Serialize};

/// From a decoded picture to an encoder's pixels, as transformers and torchvision do it with Pillow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// What is seen where the picture is transparent.
    #[serde(default, skip_serializing_if = "Alpha::is_ignored")]
    pub alpha: Alpha,
    /// What is resized.
    #[serde(default, skip_serializing_if = "View::is_picture")]
    pub view: View,
    /// Size after resizing.
    pub resize: Resize,
    /// Side of the square that is cut out of the middle.
    pub crop: Option<u32>,
    /// Where the crop begins when the margin is odd.
    #[serde(default)]
    pub crop_offset: CropOffset,
    /// Interpolation.
    pub filter: Filter,
    /// Mean per channel, of values in 0..1.
    pub mean: [f32; 3],
    /// Standard deviation per channel.
    pub std: [f32; 3],
}

/// What is seen where a picture is transparent: the two reference libraries disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alpha {
    /// The colour that is stored there, as with Pillow's `convert("RGB")`.
    #[default]
    Ignored,
    /// White, as transformers' processors have it.
    White,
}

impl Alpha {
    /// The default does not show in an encoder's identity, which is older than this key.
    fn is_ignored(&self) -> bool {
        *self == Self::Ignored
    }
}

/// What an encoder sees of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// The picture.
    #[default]
    Picture,
    /// Its error levels.
    ErrorLevels,
}

impl View {
    /// As with [`Alpha`], the default does not show in an encoder's identity.
    fn is_picture(&self) -> bool {
        *self == Self::Picture
    }
}

/// Size after resizing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Resize {
    /// The shorter side gets this length, the longer one keeps the ratio (rounded down).
    Shortest {
        /// Length of the shorter side.
        shortest: u32,
    },
    /// Both sides are given; the ratio is lost.
    Exact {
        /// Width.
        width: u32,
        /// Height.
        height: u32,
    },
}

/// Where a centre crop begins when the margin is odd: the two reference libraries disagree by one pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CropOffset {
    /// `margin // 2`, as transformers.
    #[default]
    Floor,
    /// `int(round(margin / 2))`, half to even, as torchvision.
    Round,
}

/// Interpolation, as Pillow names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Cubic with a = -0.5.
    Bicubic,
    /// Triangle.
    Bilinear,
}

impl Preprocessing {
    /// Whether sides, crop and scale are such that every picture can be prepared.
    pub fn is_possible(&self) -> bool {
        let (width, height) = match self.resize {
            Resize::Shortest { shortest } => (shortest, shortest),
            Resize::Exact { width, height } => (width, height),
        };
        let sides = [width, height, self.crop.unwrap_or(width.min(height))];
        let finite = self
            .mean
            .iter()
            .chain(&self.std)
            .all(|value| value.is_finite());
        sides.iter().all(|side| (1..=4096).contains(side))
            && sides[2] <= width.min(height)
            && (self.crop.is_some() || matches!(self.resize, Resize::Exact { .. }))
            && finite
            && self.std.iter().all(|value| *value > 0.0)
    }
}
