//! From a picture's bytes to RGB, as Pillow's `Image.open(..).convert("RGB")` makes it.
//!
//! The format is told by content, never by name. Transparency is ignored, as torchvision's readers do, or shows white,
//! as in transformers; of an animation the first frame is taken; an EXIF orientation is not applied (transformers and
//! torchvision do not apply it either).

use std::panic::{UnwindSafe, catch_unwind};

use ::image::ImageFormat;

use crate::preprocessing::Alpha;
use crate::refusal::Refusal;
use crate::rgb::Rgb;

mod gif;
mod jpeg;
mod other;

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

/// Width and height by the header of a picture of a known format and a bearable size; does not decode it.
pub fn probe(bytes: &[u8]) -> Result<(u32, u32), Refusal> {
    match format_of(bytes)? {
        ImageFormat::Jpeg => jpeg::size(bytes),
        ImageFormat::Gif => gif::size(bytes),
        format => other::size(bytes, format),
    }
}

/// Decodes a picture.
pub fn decode(bytes: &[u8]) -> Result<Rgb, Refusal> {
    match format_of(bytes)? {
        ImageFormat::Jpeg => jpeg::decode(bytes),
        ImageFormat::Gif => guarded(|| gif::decode(bytes)),
        format => guarded(|| other::decode(bytes, format)),
    }
}

/// What is seen on white paper, as transformers composites it; `None` where nothing can be transparent.
fn on_white(bytes: &[u8]) -> Result<Option<Rgb>, Refusal> {
    match format_of(bytes)? {
        ImageFormat::Jpeg => Ok(None),
        ImageFormat::Gif => guarded(|| gif::on_white(bytes)),
        format => guarded(|| other::on_white(bytes, format)),
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
