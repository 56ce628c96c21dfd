//! TIFF with a palette, which the crate `tiff` does not read: it is read as grey, and its samples are then the numbers
//! of colours.

use std::io::Cursor;

use ::image::metadata::Orientation;
use ::tiff::decoder::{Decoder, DecodingResult};
use ::tiff::tags::Tag;
use ::tiff::{ColorType, TiffError};

use super::tiff_directory::Directory;
use crate::refusal::{Refusal, check_size, told};

/// Bytes of a pixel while it is decoded: samples, the buffer of a strip that may be the whole picture, and RGB.
pub(super) const MEMORY: u64 = 1 + 1 + 3;

const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// Of a picture with a palette the same file as one of grey.
pub(super) fn as_grey(bytes: &[u8]) -> Option<Vec<u8>> {
    let directory = Directory::of(bytes)?;
    let tag = Tag::PhotometricInterpretation.to_u16();
    (directory.short(tag)? == PALETTE).then(|| directory.with_short(tag, BLACK_IS_ZERO))?
}

/// A picture that was made grey.
pub(super) struct Indices<'a> {
    decoder: Decoder<Cursor<&'a [u8]>>,
    /// Width and height.
    pub(super) size: [u32; 2],
    bits: u8,
}

impl<'a> Indices<'a> {
    pub(super) fn open(grey: &'a [u8]) -> Result<Self, Refusal> {
        let mut decoder = Decoder::new(Cursor::new(grey)).map_err(refusal)?;
        let (width, height) = decoder.dimensions().map_err(refusal)?;
        check_size(width, height)?;
        match decoder.colortype().map_err(refusal)? {
            ColorType::Gray(bits @ (1 | 2 | 4 | 8)) => Ok(Self {
                decoder,
                size: [width, height],
                bits,
            }),
            other => Err(Refusal::Unsupported(format!(
                "TIFF with a palette beside {other:?}"
            ))),
        }
    }

    /// How the picture wants to be turned.
    pub(super) fn orientation(&mut self) -> Result<Orientation, Refusal> {
        let value = self.decoder.find_tag_unsigned::<u8>(Tag::Orientation);
        let orientation = value.map_err(refusal)?.and_then(Orientation::from_exif);
        Ok(orientation.unwrap_or(Orientation::NoTransforms))
    }

    /// Decodes to RGB; colours that the palette lacks are black, as in Pillow.
    pub(super) fn rgb(mut self) -> Result<Vec<u8>, Refusal> {
        let map = self.decoder.get_tag_u16_vec(Tag::ColorMap);
        let map = map.map_err(refusal)?;
        let channels: Vec<&[u16]> = map.chunks_exact((map.len() / 3).max(1)).collect();
        let DecodingResult::U8(packed) = self.decoder.read_image().map_err(refusal)? else {
            return Err(Refusal::Unsupported(
                "TIFF with a palette of this depth".into(),
            ));
        };
        let [width, height] = self.size.map(|side| side as usize);
        let bits = usize::from(self.bits);
        let mut rgb = Vec::with_capacity(3 * width * height);
        for row in packed.chunks_exact((width * bits).div_ceil(8)) {
            for x in 0..width {
                let from_left = x * bits % 8;
                let index = row[x * bits / 8] << from_left >> (8 - bits);
                let colour = |channel: usize| {
                    let of_channel = channels.get(channel)?.get(usize::from(index))?;
                    Some((of_channel >> 8) as u8)
                };
                rgb.extend([0, 1, 2].map(|channel| colour(channel).unwrap_or(0)));
            }
        }
        match rgb.len() == 3 * width * height {
            true => Ok(rgb),
            false => Err(Refusal::Truncated),
        }
    }
}

fn refusal(error: TiffError) -> Refusal {
    match error {
        TiffError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Refusal::Truncated
        }
        TiffError::UnsupportedError(kind) => Refusal::Unsupported(kind.to_string()),
        other => told(&other.to_string()),
    }
}
