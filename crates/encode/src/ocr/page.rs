//! A decoded picture as Tesseract takes it best: grey, letters not too small, a margin around it, and once more as its
//! negative.
//!
//! Tesseract is made for dark letters on bright paper. Of the banners of the demo world it reads 49 of 70 in the
//! picture itself, 46 in the negative, and 66 in one of the two; without the margin 32.

use mmfnd_pictures::{Axis, Filter, Rgb, resample};

/// Small pictures are enlarged until their shorter side has so many pixels.
const SHORTER_SIDE: u32 = 400;

/// The most that a picture is enlarged; more only blurs.
const MOST_ENLARGED: f64 = 3.0;

/// Larger pictures are made smaller: time grows with the area, and text that is to be read on a screen stays legible.
const LONGER_SIDE: u32 = 2400;

/// Pixels of white around the picture: letters at its very edge are not seen.
const MARGIN: usize = 20;

const WHITE: u8 = 255;

/// A grey page.
struct Page {
    width: usize,
    height: usize,
    grey: Vec<u8>,
}

/// A TIFF file of two pages: the picture and its negative.
pub(super) fn pages(picture: &Rgb) -> Vec<u8> {
    let page = page(picture);
    let negative = page.grey.iter().map(|grey| WHITE - grey).collect();
    let pages = [page.grey, negative].map(|grey| {
        with_margin(&Page {
            width: page.width,
            height: page.height,
            grey,
        })
    });
    tiff(&pages)
}

fn page(picture: &Rgb) -> Page {
    let (width, height) = size(picture.width, picture.height);
    let axis = |from, to| Axis {
        from,
        to,
        kept: 0..to,
    };
    let across = axis(picture.width, width);
    let down = axis(picture.height, height);
    let resized = resample(picture, Filter::Bicubic, &across, &down);
    Page {
        width: width as usize,
        height: height as usize,
        grey: resized.chunks_exact(3).map(grey).collect(),
    }
}

/// Luma of ITU-R 601, as JPEG has it.
fn grey(pixel: &[u8]) -> u8 {
    let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
    ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
}

fn size(width: u32, height: u32) -> (u32, u32) {
    let (shorter, longer) = (width.min(height), width.max(height));
    let enlarged = (f64::from(SHORTER_SIDE) / f64::from(shorter)).clamp(1.0, MOST_ENLARGED);
    let scale = enlarged.min(f64::from(LONGER_SIDE) / f64::from(longer));
    let scaled = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    (scaled(width), scaled(height))
}

fn with_margin(page: &Page) -> Page {
    let (width, height) = (page.width + 2 * MARGIN, page.height + 2 * MARGIN);
    let mut grey = vec![WHITE; width * height];
    let rows = grey.chunks_exact_mut(width).skip(MARGIN);
    for (row, source) in rows.zip(page.grey.chunks_exact(page.width)) {
        row[MARGIN..MARGIN + page.width].copy_from_slice(source);
    }
    Page {
        width,
        height,
        grey,
    }
}

/// Plain grey pages of 8 bits, each in one strip: the simplest file of several pages that Tesseract reads from its
/// input.
fn tiff(pages: &[Page]) -> Vec<u8> {
    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    let mut file = b"II*\0".to_vec();
    // Where the offset of the next directory has to be written.
    let mut link = file.len();
    file.extend([0; 4]);
    for page in pages {
        let strip = file.len() as u32;
        file.extend(&page.grey);
        file.resize(file.len().next_multiple_of(2), 0);
        let directory = file.len() as u32;
        file[link..link + 4].copy_from_slice(&directory.to_le_bytes());
        let entries: [(u16, u16, u32); 9] = [
            (256, LONG, page.width as u32),
            (257, LONG, page.height as u32),
            (258, SHORT, 8),                     // bits of a sample
            (259, SHORT, 1),                     // not compressed
            (262, SHORT, 1),                     // 0 is black
            (273, LONG, strip),                  // where the strip begins
            (277, SHORT, 1),                     // samples of a pixel
            (278, LONG, page.height as u32),     // rows of the strip
            (279, LONG, page.grey.len() as u32), // bytes of the strip
        ];
        file.extend((entries.len() as u16).to_le_bytes());
        for (tag, kind, value) in entries {
            file.extend(tag.to_le_bytes());
            file.extend(kind.to_le_bytes());
            file.extend(1u32.to_le_bytes());
            file.extend(value.to_le_bytes());
        }
        link = file.len();
        file.extend([0; 4]);
    }
    file
}

/// An empty sheet, to try Tesseract out.
pub(super) fn blank() -> Vec<u8> {
    tiff(&[Page {
        width: 64,
        height: 64,
        grey: vec![WHITE; 64 * 64],
    }])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn small_pictures_are_enlarged_and_large_ones_made_smaller() {
        assert_eq!(size(160, 120), (480, 360), "three times at most");
        assert_eq!(size(400, 300), (533, 400));
        assert_eq!(size(1024, 768), (1024, 768));
        assert_eq!(size(6000, 4000), (2400, 1600));
        assert_eq!(size(1, 100_000), (1, 2400));
    }

    #[test]
    fn the_two_pages_are_the_picture_and_its_negative_within_white() {
        let picture = Rgb {
            width: 700,
            height: 651,
            data: [255, 0, 0].repeat(700 * 651),
        };
        let file = pages(&picture);
        let first = ::image::load_from_memory_with_format(&file, ::image::ImageFormat::Tiff);
        let first = first.unwrap().into_luma8();
        assert_eq!((first.width(), first.height()), (740, 691));
        assert_eq!(first.get_pixel(19, 345).0, [255]);
        assert_eq!(first.get_pixel(20, 20).0, [76]);
        // The second page by hand: the offset of its directory stands behind the first one's entries.
        let offset = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        let second = offset(offset(4) + 2 + 9 * 12);
        let strip = offset(second + 2 + 5 * 12 + 8);
        assert_eq!(file[strip + 20 * 740 + 20], 255 - 76);
        assert_eq!(file[strip], 255);
        assert_eq!(offset(second + 2 + 9 * 12), 0, "there is no third");
        let reread =
            ::image::ImageReader::with_format(Cursor::new(&file), ::image::ImageFormat::Tiff);
        assert_eq!(reread.into_dimensions().unwrap(), (740, 691));
    }
}
