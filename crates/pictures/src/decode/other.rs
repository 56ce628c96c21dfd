//! PNG, WebP, BMP and TIFF through the crate `image`; what becomes of samples of 16 bits and of transparency is
//! Pillow's way.

use std::io::Cursor;

use ::image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader};

use crate::refusal::{Refusal, check_size, told};
use crate::rgb::Rgb;

/// Width and height, by its header.
pub(super) fn size(bytes: &[u8], format: ImageFormat) -> Result<(u32, u32), Refusal> {
    Ok(open(bytes, format)?.dimensions())
}

fn open(bytes: &[u8], format: ImageFormat) -> Result<impl ImageDecoder + '_, Refusal> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // The limit on pixels below is the one that counts.
    reader.no_limits();
    let decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    Ok(decoder)
}

/// Decodes to RGB.
pub(super) fn decode(bytes: &[u8], format: ImageFormat) -> Result<Rgb, Refusal> {
    let decoder = open(bytes, format)?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let data = to_rgb(samples(decoder)?, color)?;
    Ok(Rgb {
        width,
        height,
        data,
    })
}

/// What is seen on white paper; `None` where nothing can be transparent.
pub(super) fn on_white(bytes: &[u8], format: ImageFormat) -> Result<Option<Rgb>, Refusal> {
    let decoder = open(bytes, format)?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    if !color.has_alpha() {
        return Ok(None);
    }
    let samples = samples(decoder)?;
    let (channels, bytes) = (
        usize::from(color.channel_count()),
        usize::from(color.bytes_per_pixel()) / usize::from(color.channel_count()),
    );
    // Of 16 bits the high ones are kept.
    let high = if cfg!(target_endian = "little") {
        bytes - 1
    } else {
        0
    };
    let alphas = samples[(channels - 1) * bytes + high..]
        .iter()
        .step_by(channels * bytes);
    let alphas: Vec<u8> = alphas.copied().collect();
    let mut data = to_rgb(samples, color)?;
    for (pixel, alpha) in data.chunks_exact_mut(3).zip(alphas) {
        pixel
            .iter_mut()
            .for_each(|value| *value = over_white(*value, alpha));
    }
    Ok(Some(Rgb {
        width,
        height,
        data,
    }))
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

fn samples(decoder: impl ImageDecoder) -> Result<Vec<u8>, Refusal> {
    let (width, height) = decoder.dimensions();
    let length = usize::try_from(decoder.total_bytes());
    let length = length.map_err(|_| Refusal::TooLarge { width, height })?;
    let mut samples = vec![0; length];
    decoder.read_image(&mut samples).map_err(refusal)?;
    Ok(samples)
}

/// Samples as the decoder gives them to RGB; 16-bit samples are in the machine's byte order.
fn to_rgb(samples: Vec<u8>, color: ColorType) -> Result<Vec<u8>, Refusal> {
    let words = || {
        samples
            .chunks_exact(2)
            .map(|b| u16::from_ne_bytes([b[0], b[1]]))
    };
    let high = || words().map(|word| (word >> 8) as u8).collect::<Vec<u8>>();
    Ok(match color {
        ColorType::Rgb8 => samples,
        ColorType::Rgba8 => drop_alpha(&samples),
        ColorType::L8 => samples.iter().flat_map(|grey| [*grey; 3]).collect(),
        ColorType::La8 => samples.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
        // Pillow reads 16-bit grey as mode I;16, whose way to RGB goes through 8 bits by clipping.
        ColorType::L16 => words().flat_map(|w| [w.min(255) as u8; 3]).collect(),
        // Other 16-bit modes are cut to their high byte when they are read.
        ColorType::La16 => high().chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
        ColorType::Rgb16 => high(),
        ColorType::Rgba16 => drop_alpha(&high()),
        other => {
            return Err(Refusal::Corrupt(format!(
                "{other:?} pixels are not supported"
            )));
        }
    })
}

fn drop_alpha(rgba: &[u8]) -> Vec<u8> {
    rgba.chunks_exact(4)
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect()
}

fn refusal(error: ImageError) -> Refusal {
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
