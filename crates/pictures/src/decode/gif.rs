//! First frame of a GIF, with palette colours where the frame is transparent, as Pillow has it.

use ::gif::{ColorOutput, DecodeOptions, Decoder, DecodingError, Frame, MemoryLimit};

use super::{Decoded, Header};
use crate::refusal::{Refusal, check_size, told};
use crate::rgb::Rgb;

/// Its indices, its colours, and both ways of transparency.
const BYTES_PER_PIXEL: u64 = 1 + 3 + 3;

/// The size of the canvas, by the headers of the file and of its first frame.
pub(super) fn header(bytes: &[u8]) -> Result<Header, Refusal> {
    let (width, height) = enlarged(&mut open(bytes)?)?;
    Ok(Header::new(width, height, BYTES_PER_PIXEL))
}

/// Decodes the first frame onto the canvas; on white where the frame has a transparent colour.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Refusal> {
    let mut decoder = open(bytes)?;
    let (width, height) = enlarged(&mut decoder)?;
    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices).map_err(refusal)?;
    let frame = decoder.current_frame_info().ok_or(Refusal::Truncated)?;
    let mut palette = colours(frame.palette.as_deref().or(decoder.global_palette()));
    let canvas = [width as usize, height as usize];
    let opaque = painted(canvas, frame, &indices, &palette);
    let on_white = frame.transparent.map(|index| {
        palette[usize::from(index)] = [255; 3];
        painted(canvas, frame, &indices, &palette)
    });
    Ok(Decoded { opaque, on_white })
}

/// A frame's colours on its canvas; around it is the transparent colour, or the first one.
fn painted(
    [width, height]: [usize; 2],
    frame: &Frame,
    indices: &[u8],
    palette: &[[u8; 3]; 256],
) -> Rgb {
    let background = palette[usize::from(frame.transparent.unwrap_or(0))];
    let mut data = background.repeat(width * height);
    let rows = indices.chunks_exact(usize::from(frame.width).max(1));
    for (y, row) in rows.enumerate() {
        let start = ((usize::from(frame.top) + y) * width + usize::from(frame.left)) * 3;
        let pixels = data[start..].chunks_exact_mut(3);
        for (pixel, index) in pixels.zip(row) {
            pixel.copy_from_slice(&palette[usize::from(*index)]);
        }
    }
    Rgb {
        width: width as u32,
        height: height as u32,
        data,
    }
}

/// Goes on to the first frame. Pillow enlarges a canvas that it does not fit into; the size is refused before anything
/// is decoded.
fn enlarged(decoder: &mut Decoder<&[u8]>) -> Result<(u32, u32), Refusal> {
    let canvas = (u32::from(decoder.width()), u32::from(decoder.height()));
    let frame = decoder.next_frame_info().map_err(refusal)?;
    let frame = frame.ok_or(Refusal::Truncated)?;
    let width = canvas.0.max(u32::from(frame.left) + u32::from(frame.width));
    let height = canvas.1.max(u32::from(frame.top) + u32::from(frame.height));
    check_size(width, height)?;
    Ok((width, height))
}

fn open(bytes: &[u8]) -> Result<Decoder<&[u8]>, Refusal> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    // Our own limit on pixels is checked before the frame is decoded.
    options.set_memory_limit(MemoryLimit::Unlimited);
    let decoder = options.read_info(bytes).map_err(refusal)?;
    check_size(decoder.width().into(), decoder.height().into())?;
    Ok(decoder)
}

/// 256 colours; indices beyond the file's palette are grey, as in Pillow.
fn colours(palette: Option<&[u8]>) -> [[u8; 3]; 256] {
    let mut colours = std::array::from_fn(|i| [i as u8; 3]);
    let given = palette.unwrap_or_default().chunks_exact(3);
    for (colour, rgb) in colours.iter_mut().zip(given) {
        colour.copy_from_slice(rgb);
    }
    colours
}

fn refusal(error: DecodingError) -> Refusal {
    match error {
        DecodingError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Refusal::Truncated
        }
        error => told(&error.to_string()),
    }
}
