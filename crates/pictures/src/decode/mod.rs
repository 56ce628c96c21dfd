//! From a picture's bytes to RGB, as Pillow's `Image.open(..).convert("RGB")` makes it.
//!
//! The format is told by content, never by name. Transparency is ignored, as torchvision's readers do, or shows white, as in
//! transformers; of an animation the first frame is taken; an EXIF orientation is not applied (transformers and torchvision do not apply it either).

use std::io::Cursor;
use std::panic::{UnwindSafe, catch_unwind};
use std::path::Path;

use ::image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader};

use crate::preprocessing::Alpha;

mod gif;
mod jpeg;

/// Most pixels that a picture may have: the limit above which Pillow refuses to decode.
pub const MAX_PIXELS: u64 = 178_956_970;

/// Longest file that is read: more than any picture of [`MAX_PIXELS`] needs, unless it is not compressed at all.
pub const MAX_BYTES: u64 = 256 << 20;

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Red, green, blue, row by row.
    pub data: Vec<u8>,
}

/// A decoded picture, and what is seen of it on white paper.
#[derive(Clone, Debug)]
pub struct Picture {
    opaque: Rgb,
    /// Only where something of it is transparent.
    on_white: Option<Rgb>,
}

impl Picture {
    /// Decodes a picture.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        Ok(Self {
            opaque: decode(bytes)?,
            on_white: on_white(bytes)?,
        })
    }

    /// With its transparency treated in one of the two ways.
    pub fn with(&self, alpha: Alpha) -> &Rgb {
        match (&self.on_white, alpha) {
            (Some(on_white), Alpha::White) => on_white,
            _ => &self.opaque,
        }
    }
}

/// Why a picture is not used. Its text is the reason in the list of rejects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such file, or it is not a plain file.
    #[error("no such file")]
    Missing,
    /// The system does not let us read it.
    #[error("unreadable: {0}")]
    Unreadable(String),
    /// Its bytes are not those that were hashed when the run began.
    #[error("changed while it was being encoded")]
    Changed,
    /// More than [`MAX_BYTES`]; it was not read.
    #[error("too large a file: {0} bytes, at most {MAX_BYTES}")]
    TooManyBytes(u64),
    /// 0 bytes.
    #[error("empty file")]
    Empty,
    /// None of the known formats.
    #[error("not a picture (JPEG, PNG, GIF, WebP, BMP or TIFF)")]
    NotAPicture,
    /// More than [`MAX_PIXELS`], by its header; it was not decoded.
    #[error("too large: {width} x {height} pixels, at most {MAX_PIXELS} in all")]
    TooLarge {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// It ends before its last pixel.
    #[error("truncated")]
    Truncated,
    /// Its decoder refuses it.
    #[error("corrupt: {0}")]
    Corrupt(String),
}

impl Refusal {
    /// The reason without the file's particulars, for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "no such file",
            Self::Unreadable(_) => "unreadable",
            Self::Changed => "changed while it was being encoded",
            Self::Empty => "empty file",
            Self::NotAPicture => "not a picture",
            Self::TooLarge { .. } | Self::TooManyBytes(_) => "too large",
            Self::Truncated => "truncated",
            Self::Corrupt(_) => "corrupt",
        }
    }
}

/// Reads a picture's file.
pub fn read(path: &Path) -> Result<Vec<u8>, Refusal> {
    size(path)?;
    std::fs::read(path).map_err(|error| Refusal::Unreadable(error.kind().to_string()))
}

/// Bytes of a file that [`read`] would read.
pub fn size(path: &Path) -> Result<u64, Refusal> {
    // A named pipe or a device would block or never end.
    match path.metadata() {
        Ok(found) if !found.is_file() => Err(Refusal::Missing),
        Ok(found) if found.len() > MAX_BYTES => Err(Refusal::TooManyBytes(found.len())),
        Ok(found) => Ok(found.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Refusal::Missing),
        Err(error) => Err(Refusal::Unreadable(error.kind().to_string())),
    }
}

/// Width and height by the header of a picture of a known format and a bearable size; does not decode it.
pub fn probe(bytes: &[u8]) -> Result<(u32, u32), Refusal> {
    match format_of(bytes)? {
        ImageFormat::Jpeg => jpeg::size(bytes),
        ImageFormat::Gif => gif::size(bytes),
        format => Ok(open(bytes, format)?.dimensions()),
    }
}

/// Decodes a picture.
pub fn decode(bytes: &[u8]) -> Result<Rgb, Refusal> {
    match format_of(bytes)? {
        ImageFormat::Jpeg => jpeg::decode(bytes),
        ImageFormat::Gif => guarded(|| gif::decode(bytes)),
        format => guarded(|| decode_other(bytes, format)),
    }
}

/// What is seen on white paper, as transformers composites it; `None` where nothing can be transparent.
fn on_white(bytes: &[u8]) -> Result<Option<Rgb>, Refusal> {
    match format_of(bytes)? {
        ImageFormat::Jpeg => Ok(None),
        ImageFormat::Gif => guarded(|| gif::on_white(bytes)),
        format => guarded(|| other_on_white(bytes, format)),
    }
}

/// A picture that a decoder was not made for must not end a run of hours.
fn guarded<T>(decode: impl FnOnce() -> Result<T, Refusal> + UnwindSafe) -> Result<T, Refusal> {
    let panicked = |_| Err(Refusal::Corrupt("its decoder panicked".into()));
    catch_unwind(decode).unwrap_or_else(panicked)
}

fn format_of(bytes: &[u8]) -> Result<ImageFormat, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    match ::image::guess_format(bytes) {
        Ok(
            format @ (ImageFormat::Jpeg
            | ImageFormat::Png
            | ImageFormat::Gif
            | ImageFormat::WebP
            | ImageFormat::Bmp
            | ImageFormat::Tiff),
        ) => Ok(format),
        _ => Err(Refusal::NotAPicture),
    }
}

/// Refuses a size that no picture of a post has.
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), Refusal> {
    match u64::from(width) * u64::from(height) {
        0 => Err(Refusal::Corrupt("no pixels".into())),
        pixels if pixels > MAX_PIXELS => Err(Refusal::TooLarge { width, height }),
        _ => Ok(()),
    }
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

fn decode_other(bytes: &[u8], format: ImageFormat) -> Result<Rgb, Refusal> {
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

fn other_on_white(bytes: &[u8], format: ImageFormat) -> Result<Option<Rgb>, Refusal> {
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

/// A decoder's message as a refusal; some of them keep the kind of the error to themselves.
pub(crate) fn told(message: &str) -> Refusal {
    match one_line(message) {
        message
            if message
                .to_ascii_lowercase()
                .contains("unexpected end of file") =>
        {
            Refusal::Truncated
        }
        message => Refusal::Corrupt(message),
    }
}

/// Reasons go into a table: no line breaks.
pub(crate) fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
