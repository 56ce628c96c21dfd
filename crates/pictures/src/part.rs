//! A part of a picture in the place of all of it: what training from pictures is varied by.

use std::ops::Range;

use crate::preprocessing::Preprocessing;
use crate::resample::{Axis, resample};
use crate::rgb::Rgb;

/// A rectangle of a picture, mirrored or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Columns, of which there is at least one.
    pub across: Range<u32>,
    /// Rows, of which there is at least one.
    pub down: Range<u32>,
    /// Whether left becomes right.
    pub is_mirrored: bool,
}

impl Preprocessing {
    /// A part of a picture at the size of the encoder's input, still 0..=255: torchvision's `resized_crop` and `hflip`
    /// of one that Pillow opened.  `[H * W * 3]`
    pub fn resized_part(&self, picture: &Rgb, part: &Part) -> Vec<u8> {
        let (width, height) = self.input_size();
        let part_of_row = 3 * part.across.start as usize..3 * part.across.end as usize;
        let rows = picture.data.chunks_exact(3 * picture.width as usize);
        let rows = rows.skip(part.down.start as usize).take(part.down.len());
        let cut = Rgb {
            width: part.across.len() as u32,
            height: part.down.len() as u32,
            data: rows
                .flat_map(|row| &row[part_of_row.clone()])
                .copied()
                .collect(),
        };
        let whole = |from, to| Axis {
            from,
            to,
            kept: 0..to,
        };
        let (across, down) = (whole(cut.width, width), whole(cut.height, height));
        let mut pixels = resample(&cut, self.filter, &across, &down);
        if part.is_mirrored {
            let rows = pixels.chunks_exact_mut(3 * width as usize);
            rows.for_each(|row| row.as_chunks_mut::<3>().0.reverse());
        }
        pixels
    }
}
