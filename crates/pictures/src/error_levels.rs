//! Error levels: how far each pixel is from what a JPEG makes of it, stretched over 0..=255. What was pasted into a
//! picture changes more than what went through a JPEG before. mozjpeg has Pillow's encoder, and is set as that is.

use std::io;

use mozjpeg::{ColorSpace, Compress};

use crate::decode::jpeg;
use crate::panics::caught;
use crate::refusal::Refusal;
use crate::rgb::Rgb;

/// Of the JPEG; its colours have half the picture's resolution each way.
const QUALITY: f32 = 90.0;

/// The error levels of a picture, of its size.
pub fn error_levels(picture: &Rgb) -> Result<Rgb, Refusal> {
    let saved = caught(|| saved(picture));
    let saved = saved.ok().and_then(Result::ok).ok_or_else(|| {
        let Rgb { width, height, .. } = picture;
        Refusal::Unsupported(format!("a JPEG of {width} x {height} pixels"))
    })?;
    let mut levels = jpeg::decode(&saved)?;
    for (level, value) in levels.data.iter_mut().zip(&picture.data) {
        *level = level.abs_diff(*value);
    }
    let largest = levels.data.iter().copied().max().unwrap_or(0).max(1);
    let stretched: [u8; 256] = std::array::from_fn(|level| stretched(level as u32, largest.into()));
    for level in &mut levels.data {
        *level = stretched[usize::from(*level)];
    }
    Ok(levels)
}

/// `255 level / largest` to the nearest whole number; of two as near the even one, as NumPy rounds.
fn stretched(level: u32, largest: u32) -> u8 {
    let scaled = f64::from(255 * level) / f64::from(largest);
    scaled.min(255.0).round_ties_even() as u8
}

fn saved(picture: &Rgb) -> io::Result<Vec<u8>> {
    let mut jpeg = Compress::new(ColorSpace::JCS_RGB);
    jpeg.set_fastest_defaults(); // libjpeg-turbo's: no trellis, the standard's tables
    jpeg.set_size(picture.width as usize, picture.height as usize);
    jpeg.set_quality(QUALITY);
    jpeg.set_chroma_sampling_pixel_sizes((2, 2), (2, 2));
    let mut jpeg = jpeg.start_compress(Vec::new())?;
    jpeg.write_scanlines(&picture.data)?;
    jpeg.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pasted_into_a_jpeg_stands_out() {
        let side = 160;
        let slopes = (0..side * side).flat_map(|i| {
            let (x, y) = (i % side, i / side);
            [x, y, (x + y) / 2].map(|value| (value + 40) as u8)
        });
        let drawn = Rgb {
            width: side,
            height: side,
            data: slopes.collect(),
        };
        let mut picture = jpeg::decode(&saved(&drawn).unwrap()).unwrap();
        let is_inside = |i: usize| {
            let side = side as usize;
            let (x, y) = (i / 3 % side, i / 3 / side);
            (50..90).contains(&x) && (70..110).contains(&y)
        };
        let mut noise = 1u32;
        for (i, value) in picture.data.iter_mut().enumerate() {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if is_inside(i) {
                *value = (noise >> 24) as u8;
            }
        }
        let levels = error_levels(&picture).unwrap().data;
        let mean = |inside: bool| {
            let of = levels.iter().enumerate();
            let of: Vec<_> = of.filter(|(i, _)| is_inside(*i) == inside).collect();
            of.iter().map(|(_, level)| f64::from(**level)).sum::<f64>() / of.len() as f64
        };
        assert!(
            mean(true) > 3.0 * mean(false),
            "{} {}",
            mean(true),
            mean(false)
        );
    }

    #[test]
    fn a_picture_without_errors_stays_black() {
        let grey = Rgb {
            width: 16,
            height: 16,
            data: vec![128; 3 * 256],
        };
        assert_eq!(error_levels(&grey).unwrap().data, vec![0; 3 * 256]);
        assert_eq!(
            [stretched(1, 2), stretched(3, 2), stretched(2, 2)],
            [128, 255, 255]
        );
    }
}
