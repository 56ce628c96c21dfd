//! TIFF through the crate `image`, with what Pillow makes of its orientation, of premultiplied alpha and of inks.

use std::io::Cursor;

use ::image::codecs::tiff::TiffDecoder;
use ::image::metadata::Orientation;
use ::image::{ColorType, DynamicImage, ExtendedColorType, ImageDecoder, RgbImage};
use ::tiff::decoder::{Decoder, DecodingResult};
use ::tiff::tags::Tag;

use super::other::{alphas, bytes_per_pixel, on_white, refusal, samples, to_rgb};
use super::tiff_directory::refuse_unread_kinds;
use super::tiff_palette::{Indices, MEMORY, as_grey};
use super::{Decoded, Header};
use crate::decode::jpeg::from_inverted_cmyk;
use crate::refusal::{Refusal, check_size, told};
use crate::rgb::Rgb;

/// What the tag ExtraSamples says of an alpha: colours are multiplied by it already.
const ASSOCIATED: u16 = 1;
/// The same: it is an alpha that colours are not multiplied by.
const UNASSOCIATED: u16 = 2;

/// Width and height, by its header, as it is seen.
pub(super) fn header(bytes: &[u8]) -> Result<Header, Refusal> {
    refuse_unread_kinds(bytes)?;
    if let Some(grey) = as_grey(bytes) {
        let mut indices = Indices::open(&grey)?;
        let [width, height] = turned_size(indices.size, indices.orientation()?);
        return Ok(Header::new(width, height, MEMORY));
    }
    let mut decoder = open(bytes)?;
    let (width, height) = decoder.dimensions();
    let orientation = decoder.orientation().map_err(refusal)?;
    let [width, height] = turned_size([width, height], orientation);
    // A strip may be the whole picture, unpacked before it is copied.
    let inside = u64::from(decoder.color_type().bytes_per_pixel()) + 1;
    let memory = bytes_per_pixel(decoder.color_type()) + inside;
    Ok(Header::new(width, height, memory))
}

fn open(bytes: &[u8]) -> Result<TiffDecoder<Cursor<&[u8]>>, Refusal> {
    let decoder = TiffDecoder::new(Cursor::new(bytes)).map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    Ok(decoder)
}

/// Width and height when it is turned as it wants to be.
fn turned_size([width, height]: [u32; 2], orientation: Orientation) -> [u32; 2] {
    match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => [height, width],
        _ => [width, height],
    }
}

/// Decodes to RGB, and on white where something is transparent.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Refusal> {
    if let Some(grey) = as_grey(bytes) {
        let mut indices = Indices::open(&grey)?;
        let (size, orientation) = (indices.size, indices.orientation()?);
        return Ok(Decoded {
            on_white: None,
            opaque: turned(indices.rgb()?, size, orientation),
        });
    }
    let mut decoder = open(bytes)?;
    let (width, height) = decoder.dimensions();
    let orientation = decoder.orientation().map_err(refusal)?;
    let (color, original) = (decoder.color_type(), decoder.original_color_type());
    let (mut data, alphas) = match original {
        ExtendedColorType::Cmyk8 => (from_inks(bytes)?, None),
        _ => {
            let samples = samples(decoder)?;
            let alphas = alphas(&samples, color);
            (to_rgb(samples, color)?, alphas)
        }
    };
    let extra = if color.has_alpha() { extra(bytes)? } else { 0 };
    if let (Some(alphas), ASSOCIATED) = (&alphas, extra) {
        divide(&mut data, alphas);
    }
    let alphas = alphas.filter(|_| is_alpha(color, extra));
    let on_white = alphas.map(|alphas| on_white(&data, &alphas));
    let turned = |data| turned(data, [width, height], orientation);
    Ok(Decoded {
        on_white: on_white.map(turned),
        opaque: turned(data),
    })
}

/// Whether Pillow takes the fourth sample of a colour for an alpha; beside grey it always does.
fn is_alpha(color: ColorType, extra: u16) -> bool {
    [ASSOCIATED, UNASSOCIATED].contains(&extra) || matches!(color, ColorType::La8 | ColorType::La16)
}

/// What the sample behind the colours is.
fn extra(bytes: &[u8]) -> Result<u16, Refusal> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(|error| told(&error.to_string()))?;
    let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples);
    let extra = extra.map_err(|error| told(&error.to_string()))?;
    Ok(extra.and_then(|extra| extra.first().copied()).unwrap_or(0))
}

/// Pillow's way from CMYK to RGB.
fn from_inks(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let decoder = Decoder::new(Cursor::new(bytes));
    match decoder.and_then(|mut decoder| decoder.read_image()) {
        Ok(DecodingResult::U8(inks)) => {
            let inverted = |pixel: &[u8]| [0, 1, 2, 3].map(|ink| 255 - pixel[ink]);
            let rgb = |pixel: &[u8]| from_inverted_cmyk(&inverted(pixel));
            Ok(inks.chunks_exact(4).flat_map(rgb).collect())
        }
        Ok(_) => Err(Refusal::Unsupported("TIFF with inks of this depth".into())),
        Err(error) => Err(told(&error.to_string())),
    }
}

/// `rgbA2rgba` of Pillow's `Convert.c`.
fn divide(rgb: &mut [u8], alphas: &[u8]) {
    for (pixel, alpha) in rgb.chunks_exact_mut(3).zip(alphas) {
        if ![0, 255].contains(alpha) {
            for value in pixel {
                *value = (255 * u32::from(*value) / u32::from(*alpha)).min(255) as u8;
            }
        }
    }
}

fn turned(data: Vec<u8>, [width, height]: [u32; 2], orientation: Orientation) -> Rgb {
    let picture = RgbImage::from_raw(width, height, data).expect("three bytes a pixel");
    let mut picture = DynamicImage::ImageRgb8(picture);
    picture.apply_orientation(orientation);
    Rgb {
        width: picture.width(),
        height: picture.height(),
        data: picture.into_bytes(),
    }
}
