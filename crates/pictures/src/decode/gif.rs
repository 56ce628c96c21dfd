//! First frame of a GIF, with palette colours where the frame is transparent, as Pillow has it.

use ::gif::{ColorOutput, DecodeOptions, Decoder, DecodingError, MemoryLimit};

use crate::refusal::{Refusal, check_size, told};
use crate::rgb::Rgb;

/// The size of the canvas, by the headers of the file and of its first frame.
pub(crate) fn size(bytes: &[u8]) -> Result<(u32, u32), Refusal> {
    enlarged(&mut open(bytes)?)
}

/// Decodes the first frame onto the canvas.
pub(crate) fn decode(bytes: &[u8]) -> Result<Rgb, Refusal> {
    Ok(first_frame(bytes, None)?.0)
}

/// The same with white where the frame is transparent; `None` where it never is.
pub(crate) fn on_white(bytes: &[u8]) -> Result<Option<Rgb>, Refusal> {
    let (picture, has_transparency) = first_frame(bytes, Some([255; 3]))?;
    Ok(has_transparency.then_some(picture))
}

/// The first frame, and whether it has a transparent colour, which can be replaced.
fn first_frame(bytes: &[u8], transparent: Option<[u8; 3]>) -> Result<(Rgb, bool), Refusal> {
    let mut decoder = open(bytes)?;
    let (width, height) = enlarged(&mut decoder)?;
    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices).map_err(refusal)?;
    let frame = decoder.current_frame_info().ok_or(Refusal::Truncated)?;
    let mut palette = colours(frame.palette.as_deref().or(decoder.global_palette()));
    if let (Some(index), Some(colour)) = (frame.transparent, transparent) {
        palette[usize::from(index)] = colour;
    }
    let background = palette[usize::from(frame.transparent.unwrap_or(0))];
    let mut data = background.repeat(width as usize * height as usize);
    let rows = indices.chunks_exact(usize::from(frame.width).max(1));
    for (y, row) in rows.enumerate() {
        let start = ((usize::from(frame.top) + y) * width as usize + usize::from(frame.left)) * 3;
        let pixels = data[start..].chunks_exact_mut(3);
        for (pixel, index) in pixels.zip(row) {
            pixel.copy_from_slice(&palette[usize::from(*index)]);
        }
    }
    let picture = Rgb {
        width,
        height,
        data,
    };
    Ok((picture, frame.transparent.is_some()))
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
