//! A small copy of a picture, for people.

use mozjpeg::{ColorSpace, Compress};

use crate::decode::Picture;
use crate::panics::caught;
use crate::preprocessing::{Alpha, Filter};
use crate::refusal::Refusal;
use crate::resample::{Axis, resample};

/// Enough for a picture of a few hundred pixels on a card.
const QUALITY: f32 = 72.0;

/// A picture as JPEG whose longer side has at most `longest` pixels, transparency on white; without what the file said
/// beside its pixels (place, camera).
pub fn thumbnail(bytes: &[u8], longest: u32) -> Result<Vec<u8>, Refusal> {
    let picture = Picture::decode(bytes)?;
    let picture = picture.with(Alpha::White);
    let scale = f64::from(longest) / f64::from(picture.width.max(picture.height));
    let axis = |from: u32| {
        let to = match scale < 1.0 {
            true => ((f64::from(from) * scale).round() as u32).max(1),
            false => from,
        };
        Axis {
            from,
            to,
            kept: 0..to,
        }
    };
    let (across, down) = (axis(picture.width), axis(picture.height));
    let pixels = resample(picture, Filter::Bicubic, &across, &down);
    // libjpeg's errors come as panics
    let encoded = caught(|| -> std::io::Result<Vec<u8>> {
        let mut encoder = Compress::new(ColorSpace::JCS_RGB);
        encoder.set_size(across.to as usize, down.to as usize);
        encoder.set_quality(QUALITY);
        let mut encoder = encoder.start_compress(Vec::new())?;
        encoder.write_scanlines(&pixels)?;
        encoder.finish()
    });
    match encoded {
        Ok(Ok(jpeg)) => Ok(jpeg),
        Ok(Err(error)) => Err(Refusal::Corrupt(error.to_string())),
        Err(_) => Err(Refusal::Corrupt("libjpeg gave up".to_owned())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A PNG of one colour.
    fn png(width: u32, height: u32) -> Vec<u8> {
        let picture = image::RgbImage::from_pixel(width, height, image::Rgb([200, 30, 60]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    #[test]
    fn the_longer_side_is_cut_to_length_and_small_pictures_stay() {
        for (size, expected) in [
            ((640, 320), (240, 120)),
            ((300, 900), (80, 240)),
            ((20, 10), (20, 10)),
            ((5000, 1), (240, 1)),
        ] {
            let small = thumbnail(&png(size.0, size.1), 240).unwrap();
            let small = Picture::decode(&small).unwrap();
            let small = small.with(Alpha::White);
            assert_eq!((small.width, small.height), expected);
            let colour = &small.data[..3];
            let close = [200, 30, 60]
                .iter()
                .zip(colour)
                .all(|(a, b)| i32::abs(a - i32::from(*b)) < 6);
            assert!(close, "{colour:?}");
        }
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert_eq!(thumbnail(b"<script>", 240), Err(Refusal::NotAPicture));
    }
}
