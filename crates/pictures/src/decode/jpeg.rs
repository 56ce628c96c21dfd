//! JPEG through mozjpeg, which is libjpeg-turbo's decoder, the one that Pillow has.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use mozjpeg::{ColorSpace, Decompress};

use super::Header;
use crate::panics::caught;
use crate::refusal::{Refusal, check_size, one_line};
use crate::rgb::Rgb;

/// Width and height, by its header.
pub(super) fn header(bytes: &[u8]) -> Result<Header, Refusal> {
    let ended = Cell::new(false);
    let header = |decoder: Decompress<_>| {
        let samples = match decoder.color_space() {
            ColorSpace::JCS_GRAYSCALE => 1,
            ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK => 4,
            _ => 0, // decoded to RGB at once
        };
        let (width, height) = (decoder.width() as u32, decoder.height() as u32);
        Header::new(width, height, samples + 3 + coefficients(bytes))
    };
    guarded(&ended, || Ok(open(bytes, &ended)?.map(header)))
}

/// Bytes of coefficients that libjpeg keeps for each pixel: none where all colours of a block come together, else two a
/// colour, with none of them at a lower resolution at worst.
fn coefficients(bytes: &[u8]) -> u64 {
    let (mut at, mut colours, mut is_progressive) = (2, 0, false);
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        let colours_at = |place: usize| bytes.get(at + place).map_or(0, |count| u64::from(*count));
        match marker {
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&marker) => {
                (colours, is_progressive) = (colours_at(9), marker & 3 == 2);
            }
            0xda if !is_progressive && colours_at(4) == colours => return 0,
            0xda => break,
            _ => {}
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
    2 * colours.clamp(1, 4)
}

/// Decodes to RGB: grey is repeated, CMYK and YCCK are converted as Pillow converts them.
pub(crate) fn decode(bytes: &[u8]) -> Result<Rgb, Refusal> {
    let ended = Cell::new(false);
    let decoded = guarded(&ended, || pixels(bytes, &ended))?;
    // libjpeg goes on with a made-up end when data is missing; Pillow refuses such a file.
    if ended.get() {
        return Err(Refusal::Truncated);
    }
    Ok(decoded)
}

fn open<'a>(
    bytes: &'a [u8],
    ended: &'a Cell<bool>,
) -> io::Result<Result<Decompress<Source<'a>>, Refusal>> {
    let decoder = Decompress::new_reader(Source { bytes, ended })?;
    let size = (
        u32::try_from(decoder.width()),
        u32::try_from(decoder.height()),
    );
    Ok(match size {
        (Ok(width), Ok(height)) => check_size(width, height).map(|()| decoder),
        _ => Err(Refusal::Corrupt("impossible size".into())),
    })
}

fn pixels(bytes: &[u8], ended: &Cell<bool>) -> io::Result<Result<Rgb, Refusal>> {
    let decoder = match open(bytes, ended)? {
        Ok(decoder) => decoder,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (width, height) = (decoder.width() as u32, decoder.height() as u32);
    let data = match decoder.color_space() {
        ColorSpace::JCS_GRAYSCALE => {
            let mut rows = decoder.grayscale()?;
            let grey: Vec<u8> = rows.read_scanlines()?;
            rows.finish()?;
            grey.into_iter().flat_map(|value| [value; 3]).collect()
        }
        ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK => {
            let mut rows = decoder.to_colorspace(ColorSpace::JCS_CMYK)?;
            let cmyk: Vec<u8> = rows.read_scanlines()?;
            rows.finish()?;
            cmyk.chunks_exact(4).flat_map(from_inverted_cmyk).collect()
        }
        _ => {
            let mut rows = decoder.rgb()?;
            let rgb = rows.read_scanlines()?;
            rows.finish()?;
            rgb
        }
    };
    Ok(Ok(Rgb {
        width,
        height,
        data,
    }))
}

/// Pillow takes every CMYK JPEG as inverted (Adobe's habit), then multiplies each ink by what black leaves.
pub(super) fn from_inverted_cmyk(pixel: &[u8]) -> [u8; 3] {
    let black_leaves = i32::from(pixel[3]);
    [0, 1, 2].map(|channel| {
        let ink = 255 - i32::from(pixel[channel]);
        let product = ink * black_leaves + 128;
        (black_leaves - (((product >> 8) + product) >> 8)).clamp(0, 255) as u8
    })
}

/// libjpeg's fatal errors arrive as panics that carry their message.
fn guarded<T>(
    ended: &Cell<bool>,
    work: impl FnOnce() -> io::Result<Result<T, Refusal>>,
) -> Result<T, Refusal> {
    let problem = match caught(work) {
        Ok(Ok(done)) => return done,
        Ok(Err(error)) => error.to_string(),
        Err(panic) => match panic.downcast::<String>() {
            Ok(message) => *message,
            Err(_) => "libjpeg gave up".into(),
        },
    };
    if ended.get() {
        return Err(Refusal::Truncated);
    }
    let problem = problem.trim_start_matches("libjpeg fatal error: ");
    Err(Refusal::Corrupt(one_line(problem)))
}

/// A file's bytes that remember whether more than they hold was asked for.
struct Source<'a> {
    bytes: &'a [u8],
    ended: &'a Cell<bool>,
}

impl Read for Source<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(out)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.bytes.is_empty() {
            self.ended.set(true);
        }
        Ok(self.bytes)
    }

    fn consume(&mut self, amount: usize) {
        self.bytes = &self.bytes[amount.min(self.bytes.len())..];
    }
}
