//! From a picture's bytes to RGB, as Pillow's `Image.open(..).convert("RGB")` makes it.
//!
//! The format is told by content, never by name. Transparency is ignored, as torchvision's readers do, or shows white,
//! as in transformers; of an animation the first frame is taken; an EXIF orientation is not applied (transformers and
//! torchvision do not apply it either), but that of a TIFF is, as Pillow does.

use ::image::ImageFormat;

use crate::memory::Share;
use crate::panics::caught;
use crate::preprocessing::Alpha;
use crate::refusal::{MAX_RATIO, MAX_UNSUSPECTED, Refusal};
use crate::rgb::Rgb;

mod gif;
pub(crate) mod jpeg;
mod other;
mod tiff;
mod tiff_directory;
mod tiff_palette;

/// A decoded picture, and what is seen of it on white paper.
///
/// Pictures share a limit of memory ([`MAX_DECODING`](crate::MAX_DECODING)): decoding waits until others are dropped,
/// so a thread has one at a time.
#[derive(Debug)]
pub struct Picture {
    opaque: Rgb,
    /// Only where something of it is transparent.
    on_white: Option<Rgb>,
    _memory: Share,
}

impl Picture {
    /// Decodes a picture.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let format = format_of(bytes)?;
        let memory = Share::take(header(bytes, format)?.memory)?;
        let decoded = guarded(|| match format {
            ImageFormat::Jpeg => jpeg::decode(bytes).map(Decoded::opaque),
            ImageFormat::Gif => gif::decode(bytes),
            ImageFormat::Tiff => tiff::decode(bytes),
            format => other::decode(bytes, format),
        })?;
        Ok(Self {
            opaque: decoded.opaque,
            on_white: decoded.on_white,
            _memory: memory,
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

/// What a decoder gives.
struct Decoded {
    opaque: Rgb,
    on_white: Option<Rgb>,
}

impl Decoded {
    fn opaque(opaque: Rgb) -> Self {
        Self {
            opaque,
            on_white: None,
        }
    }
}

/// What a picture's header says.
#[derive(Clone, Copy, Debug)]
struct Header {
    width: u32,
    height: u32,
    /// Most bytes of memory that decoding takes, with what is kept.
    memory: u64,
}

impl Header {
    fn new(width: u32, height: u32, bytes_per_pixel: u64) -> Self {
        let memory = u64::from(width) * u64::from(height) * bytes_per_pixel;
        Self {
            width,
            height,
            memory,
        }
    }
}

/// Width and height by the header of a picture of a known format and a bearable size; does not decode it.
pub fn probe(bytes: &[u8]) -> Result<(u32, u32), Refusal> {
    let header = header(bytes, format_of(bytes)?)?;
    Ok((header.width, header.height))
}

fn header(bytes: &[u8], format: ImageFormat) -> Result<Header, Refusal> {
    let header = guarded(|| match format {
        ImageFormat::Jpeg => jpeg::header(bytes),
        ImageFormat::Gif => gif::header(bytes),
        ImageFormat::Tiff => tiff::header(bytes),
        format => other::header(bytes, format),
    })?;
    let (decoded, file) = (
        3 * u64::from(header.width) * u64::from(header.height),
        bytes.len() as u64,
    );
    match decoded > MAX_UNSUSPECTED && decoded > MAX_RATIO * file {
        true => Err(Refusal::Bomb { decoded, file }),
        false => Ok(header),
    }
}

fn guarded<T>(work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    let panicked = |_| Err(Refusal::Corrupt("its decoder panicked".into()));
    caught(work).unwrap_or_else(panicked)
}

fn format_of(bytes: &[u8]) -> Result<ImageFormat, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    if bytes.starts_with(b"II+\0") || bytes.starts_with(b"MM\0+") {
        return Err(Refusal::Unsupported("BigTIFF".to_owned()));
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
