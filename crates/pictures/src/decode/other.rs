//! PNG, WebP and BMP through the crate `image`; what becomes of samples of 16 bits and of transparency is
//! Pillow's way.

use std::io::Cursor;

use ::image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::{Decoded, Header};
use crate::refusal::{Refusal, check_size, one_line, told};
use crate::rgb::Rgb;

/// Width and height, by its header.
pub(super) fn header(bytes: &[u8], format: ImageFormat) -> Result<Header, Refusal> {
    let decoder = open(bytes, format)?;
    let (width, height) = decoder.dimensions();
    // WebP is unpacked whole before it is copied.
    let inside = if format == ImageFormat::WebP { 4 } else { 0 };
    let memory = bytes_per_pixel(decoder.color_type()) + inside;
    Ok(Header::new(width, height, memory))
}

/// Samples as a decoder gives them, the colours that are made of them, and those on white.
pub(super) fn bytes_per_pixel(color: ColorType) -> u64 {
    let samples = match color {
        ColorType::Rgb8 => 0, // they are the colours
        other => u64::from(other.bytes_per_pixel()),
    };
    samples + 3 + if color.has_alpha() { 3 } else { 0 }
}

fn open(bytes: &[u8], format: ImageFormat) -> Result<impl ImageDecoder + '_, Refusal> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // The limits on pixels and memory are checked by the caller, before anything is decoded.
    reader.no_limits();
    let decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    Ok(decoder)
}

/// Decodes to RGB, and on white where something is transparent.
pub(super) fn decode(bytes: &[u8], format: ImageFormat) -> Result<Decoded, Refusal> {
    let decoder = open(bytes, format)?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let samples = samples(decoder)?;
    let picture = |data| Rgb {
        width,
        height,
        data,
    };
    let alphas = match has_alpha_in_pillow(bytes, format) {
        true => alphas(&samples, color),
        false => None,
    };
    let data = match (format, png_kind(bytes)) {
        // Pillow reads 16-bit grey as mode I;16, whose way to RGB goes through 8 bits by clipping.
        (ImageFormat::Png, PNG_GREY_16) if color == ColorType::La16 => clipped(&samples, 2),
        _ => to_rgb(samples, color)?,
    };
    let on_white = alphas.map(|alphas| picture(on_white(&data, &alphas)));
    Ok(Decoded {
        opaque: picture(data),
        on_white,
    })
}

/// Bits per sample and colour type of a PNG's header.
const PNG_GREY_16: [u8; 2] = [16, 0];

fn png_kind(bytes: &[u8]) -> [u8; 2] {
    match bytes.get(24..26) {
        Some(&[bits, color]) => [bits, color],
        _ => [0; 2],
    }
}

/// Whether a fourth sample is an alpha to Pillow: the spare bit of a BMP with 16 bits a pixel is none.
fn has_alpha_in_pillow(bytes: &[u8], format: ImageFormat) -> bool {
    format != ImageFormat::Bmp || bytes.get(28..30) != Some(&[16, 0])
}

/// The high byte of each pixel's alpha, if any is transparent.
pub(super) fn alphas(samples: &[u8], color: ColorType) -> Option<Vec<u8>> {
    if !color.has_alpha() {
        return None;
    }
    let pixel = usize::from(color.bytes_per_pixel());
    let sample = pixel / usize::from(color.channel_count());
    let high = if cfg!(target_endian = "little") {
        pixel - 1
    } else {
        pixel - sample
    };
    let alphas: Vec<u8> = samples.iter().skip(high).step_by(pixel).copied().collect();
    alphas.iter().any(|alpha| *alpha < 255).then_some(alphas)
}

/// What is seen on white paper.
pub(super) fn on_white(rgb: &[u8], alphas: &[u8]) -> Vec<u8> {
    let pixels = rgb.chunks_exact(3).zip(alphas);
    let over = |(pixel, alpha): (&[u8], &u8)| {
        let over = |channel: usize| over_white(pixel[channel], *alpha);
        [over(0), over(1), over(2)]
    };
    pixels.flat_map(over).collect()
}

/// `AlphaComposite.c` of Pillow over opaque white: 7 bits of precision more than the result has.
fn over_white(value: u8, alpha: u8) -> u8 {
    if alpha == 0 {
        return 255;
    }
    let share = u32::from(alpha) << 7;
    let sum = u32::from(value) * share + 255 * ((255 << 7) - share) + (0x80 << 7);
    ((((sum >> 8) + sum) >> 8) >> 7) as u8
}

pub(super) fn samples(decoder: impl ImageDecoder) -> Result<Vec<u8>, Refusal> {
    let (width, height) = decoder.dimensions();
    let length = usize::try_from(decoder.total_bytes());
    let length = length.map_err(|_| Refusal::TooLarge { width, height })?;
    let mut samples = vec![0; length];
    decoder.read_image(&mut samples).map_err(refusal)?;
    Ok(samples)
}

/// Samples as the decoder gives them to RGB; 16-bit samples are in the machine's byte order.
pub(super) fn to_rgb(samples: Vec<u8>, color: ColorType) -> Result<Vec<u8>, Refusal> {
    let high = if cfg!(target_endian = "little") { 1 } else { 0 };
    Ok(match color {
        ColorType::Rgb8 => samples,
        ColorType::Rgba8 => drop_alpha(&samples),
        ColorType::L8 => samples.iter().flat_map(|grey| [*grey; 3]).collect(),
        ColorType::La8 => samples.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
        ColorType::L16 => clipped(&samples, 1),
        // Other 16-bit modes are cut to their high byte when they are read.
        ColorType::La16 => (samples.chunks_exact(4))
            .flat_map(|pixel| [pixel[high]; 3])
            .collect(),
        ColorType::Rgb16 | ColorType::Rgba16 => (samples
            .chunks_exact(usize::from(color.bytes_per_pixel())))
        .flat_map(|pixel| [pixel[high], pixel[2 + high], pixel[4 + high]])
        .collect(),
        other => return Err(Refusal::Unsupported(format!("pixels of kind {other:?}"))),
    })
}

/// The first of each pixel's 16-bit samples, as far as a byte can hold it.
fn clipped(samples: &[u8], per_pixel: usize) -> Vec<u8> {
    let words = samples.chunks_exact(2 * per_pixel);
    let grey = words.map(|pixel| u16::from_ne_bytes([pixel[0], pixel[1]]).min(255) as u8);
    grey.flat_map(|grey| [grey; 3]).collect()
}

fn drop_alpha(rgba: &[u8]) -> Vec<u8> {
    rgba.chunks_exact(4)
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect()
}

pub(super) fn refusal(error: ImageError) -> Refusal {
    if let ImageError::Unsupported(kind) = &error {
        return Refusal::Unsupported(one_line(&kind.to_string()));
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        let end = std::io::ErrorKind::UnexpectedEof;
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == end)
        {
            return Refusal::Truncated;
        }
        cause = error.source();
    }
    told(&error.to_string())
}
