//! From a decoded picture to an encoder's pixels: Pillow's resize, a centre crop, normalisation, CHW.

use std::cell::RefCell;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, IntoImageView, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::decode::Rgb;
use crate::preset::{CropOffset, Filter, Preprocessing, Resize};

thread_local! {
    /// Keeps its work buffers from picture to picture.
    static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
}

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

    /// Resized and cropped, still 0..=255.  [H * W * 3]
    ///
    /// Rows first, then columns, with 8 bits between: Pillow's order, which matters where bicubic overshoots and is clipped. Only what the crop keeps
    /// is computed: the kernel reaches beyond the crop's edge into the picture, so the values are those of resizing all of it first.
    pub fn resized(&self, picture: &Rgb) -> Vec<u8> {
        let (full_width, full_height) = self.resized_size(picture.width, picture.height);
        let (width, height) = self.input_size();
        let left = f64::from(self.margin(full_width, width));
        let top = f64::from(self.margin(full_height, height));
        let across = f64::from(picture.width) / f64::from(full_width);
        let down = f64::from(picture.height) / f64::from(full_height);
        let source = ImageRef::new(
            picture.width,
            picture.height,
            &picture.data,
            PixelType::U8x3,
        )
        .expect("a decoded picture has width * height * 3 bytes");
        let mut rows = Image::new(width, picture.height, PixelType::U8x3);
        let (kept, all) = (f64::from(width) * across, f64::from(picture.height));
        self.resample(&source, &mut rows, [left * across, 0.0, kept, all]);
        let mut target = Image::new(width, height, PixelType::U8x3);
        let (all, kept) = (f64::from(width), f64::from(height) * down);
        self.resample(&rows, &mut target, [0.0, top * down, all, kept]);
        target.into_vec()
    }

    /// Resamples a box of the source: left, top, width, height.
    fn resample(
        &self,
        source: &impl IntoImageView,
        target: &mut Image<'_>,
        [left, top, width, height]: [f64; 4],
    ) {
        // In floating point, a picture's width divided by a width and multiplied by it may come out too large.
        let width = width.min(f64::from(source.width()) - left);
        let height = height.min(f64::from(source.height()) - top);
        let filter = match self.filter {
            Filter::Bicubic => FilterType::CatmullRom,
            Filter::Bilinear => FilterType::Bilinear,
        };
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(filter))
            .crop(left, top, width, height);
        RESIZER
            .with_borrow_mut(|resizer| resizer.resize(source, target, &options))
            .expect("the crop lies within the picture");
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
