//! From a decoded picture to an encoder's pixels: Pillow's resize, a centre crop, normalisation, CHW.

use crate::decode::Picture;
use crate::error_levels::error_levels;
use crate::preprocessing::{CropOffset, Preprocessing, Resize, View};
use crate::refusal::Refusal;
use crate::resample::{Axis, resample};
use crate::rgb::Rgb;

impl Preprocessing {
    /// Width and height of the encoder's input.
    pub fn input_size(&self) -> (u32, u32) {
        match (self.crop, self.resize) {
            (Some(side), _) => (side, side),
            (None, Resize::Exact { width, height }) => (width, height),
            (None, Resize::Shortest { shortest }) => (shortest, shortest),
        }
    }

    /// Pixels of one picture.
    ///
    /// # Shapes
    /// - output: `[3 * H * W]`, channel by channel
    pub fn pixels(&self, picture: &Rgb) -> Vec<f32> {
        self.normalised(&self.resized(picture))
    }

    /// Pixels of what this encoder sees of a picture; as [`Preprocessing::pixels`].
    pub fn pixels_of(&self, picture: &Picture) -> Result<Vec<f32>, Refusal> {
        let picture = picture.with(self.alpha);
        Ok(match self.view {
            View::Picture => self.pixels(picture),
            View::ErrorLevels => self.pixels(&error_levels(picture)?),
        })
    }

    /// Resized and cropped, still 0..=255.  [H * W * 3]
    ///
    /// Only what the crop keeps is computed.
    pub fn resized(&self, picture: &Rgb) -> Vec<u8> {
        let (full_width, full_height) = self.resized_size(picture.width, picture.height);
        let (width, height) = self.input_size();
        let axis = |from, to, kept| {
            let margin = self.margin(to, kept);
            let kept = margin..margin + kept;
            Axis { from, to, kept }
        };
        let across = axis(picture.width, full_width, width);
        let down = axis(picture.height, full_height, height);
        resample(picture, self.filter, &across, &down)
    }

    /// Size after resizing, before the crop.
    fn resized_size(&self, width: u32, height: u32) -> (u32, u32) {
        match self.resize {
            Resize::Exact { width, height } => (width, height),
            Resize::Shortest { shortest } => {
                let (short, long) = (width.min(height), width.max(height));
                let scaled = u64::from(shortest) * u64::from(long) / u64::from(short);
                let scaled = u32::try_from(scaled).unwrap_or(u32::MAX);
                match width <= height {
                    true => (shortest, scaled),
                    false => (scaled, shortest),
                }
            }
        }
    }

    /// Pixels left of (or above) the crop.
    fn margin(&self, full: u32, kept: u32) -> u32 {
        let margin = full - kept;
        let half = margin / 2;
        match self.crop_offset {
            CropOffset::Floor => half,
            // Half to even.
            CropOffset::Round => half + (margin % 2) * (half % 2),
        }
    }

    fn normalised(&self, rgb: &[u8]) -> Vec<f32> {
        let mut out = Vec::with_capacity(rgb.len());
        for channel in 0..3 {
            let table: [f32; 256] = std::array::from_fn(|value| {
                (value as f32 / 255.0 - self.mean[channel]) / self.std[channel]
            });
            let values = rgb[channel..].iter().step_by(3);
            out.extend(values.map(|value| table[usize::from(*value)]));
        }
        out
    }
}
