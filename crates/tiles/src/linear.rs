//! A linear map with fixed weights.

use std::cell::RefCell;
use std::ops::Range;

use crate::block::{BLOCK, Line, STEP, Sums, Tiles, pairs};
use crate::split::{split, split_pairs};

/// Rows that are multiplied by all weights before the next ones, and most steps of a sum at once: so many rows stay in
/// a core's own cache, next to the weights of 32 outputs.
const ROWS: usize = 256;
const STEPS: usize = 32;

thread_local! {
    /// Rows as the tiles take them, kept from call to call.
    static LEFT: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Steps in parts of about the same length, none longer than `most`.
pub(crate) fn parts(steps: usize, most: usize) -> Vec<Range<usize>> {
    let count = steps.div_ceil(most);
    let bound = |part: usize| part * steps / count;
    (0..count)
        .map(|part| bound(part)..bound(part + 1))
        .collect()
}

/// Weights of a linear map, laid out for the tiles: 4 bytes each, as before.
pub(crate) struct Linear {
    inputs: usize,
    outputs: usize,
    parts: Vec<Range<usize>>,
    /// For each part of the steps, for each 32 outputs, all steps.
    weights: Vec<Line>,
}

impl Linear {
    /// Whether weights of this shape can be multiplied by.
    pub(crate) fn fits(inputs: usize) -> bool {
        inputs > 0 && inputs.is_multiple_of(BLOCK)
    }

    /// `weights` [inputs, outputs] as they stand in a file, little-endian, where `fits(inputs)`.
    pub(crate) fn new(weights: &[[u8; 4]], inputs: usize, outputs: usize) -> Self {
        assert!(Self::fits(inputs) && weights.len() == inputs * outputs);
        let parts = parts(inputs / BLOCK, STEPS);
        let mut lines = Vec::with_capacity(outputs.div_ceil(BLOCK) * inputs / BLOCK * STEP);
        for part in &parts {
            for columns in (0..outputs).step_by(BLOCK) {
                let columns = columns..outputs.min(columns + BLOCK);
                for step in part.clone() {
                    let rows = &weights[step * BLOCK * outputs..][..BLOCK * outputs];
                    lines.extend_from_slice(&lay_out(rows, outputs, &columns));
                }
            }
        }
        Self {
            inputs,
            outputs,
            parts,
            weights: lines,
        }
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `rows` [B, inputs] by the weights: `out` [B, outputs].
    pub(crate) fn apply(&self, rows: &[f32], out: &mut [f32]) {
        let chunks = rows.chunks(ROWS * self.inputs);
        let panels = self.outputs.div_ceil(BLOCK);
        LEFT.with_borrow_mut(|left| {
            let tiles = Tiles::new();
            for (rows, out) in chunks.zip(out.chunks_mut(ROWS * self.outputs)) {
                for part in &self.parts {
                    let left = pack(rows, self.inputs, part, left);
                    let right = &self.weights[part.start * panels * STEP..part.end * panels * STEP];
                    self.multiply(&tiles, (left, right, part), out);
                }
            }
        });
    }

    /// A part of all sums, of the rows that are packed.
    fn multiply(
        &self,
        tiles: &Tiles,
        (left, right, part): (&[Line], &[Line], &Range<usize>),
        out: &mut [f32],
    ) {
        let (lines, adds) = (part.len() * STEP, part.start > 0);
        let mut edge = Sums([0.0; BLOCK * BLOCK]);
        for (panel, right) in right.chunks_exact(lines).enumerate() {
            let mut ahead = right.as_ptr_range().end;
            let columns = panel * BLOCK..self.outputs.min((panel + 1) * BLOCK);
            let blocks = left.chunks_exact(lines);
            for (left, out) in blocks.zip(out.chunks_mut(BLOCK * self.outputs)) {
                let how = (adds, ahead);
                ahead = ahead.wrapping_add(lines / 8);
                if out.len() == BLOCK * self.outputs && columns.len() == BLOCK {
                    tiles.block(
                        (left, right),
                        (&mut out[columns.start..], self.outputs),
                        how,
                    );
                    continue;
                }
                let rows = out.chunks_exact_mut(self.outputs);
                for (sums, row) in edge.0.chunks_exact_mut(BLOCK).zip(rows) {
                    sums[..columns.len()].copy_from_slice(&row[columns.clone()]);
                }
                tiles.block((left, right), (&mut edge.0, BLOCK), how);
                let rows = out.chunks_exact_mut(self.outputs);
                for (sums, row) in edge.0.chunks_exact(BLOCK).zip(rows) {
                    row[columns.clone()].copy_from_slice(&sums[..columns.len()]);
                }
            }
        }
    }
}

/// A step of 32 rows of weights [32, outputs], at most 32 columns of them.
fn lay_out(weights: &[[u8; 4]], outputs: usize, columns: &Range<usize>) -> [Line; STEP] {
    let mut lines = [Line::ZERO; STEP];
    let (high, low) = lines.split_at_mut(STEP / 2);
    let (high, low) = (pairs(high).chunks_mut(BLOCK), pairs(low).chunks_mut(BLOCK));
    let read = |row: &[[u8; 4]]| {
        let mut values = [0.0; BLOCK];
        for (value, bytes) in values.iter_mut().zip(&row[columns.clone()]) {
            *value = f32::from_le_bytes(*bytes);
        }
        values
    };
    for (rows, (high, low)) in weights.chunks_exact(2 * outputs).zip(high.zip(low)) {
        let (first, second) = rows.split_at(outputs);
        // SAFETY: whoever can multiply by tiles has these vectors.
        unsafe { split_pairs((&read(first), &read(second)), high, low) };
    }
    lines
}

/// A part of rows [B, width] as the left side of a product. What fills up the last block is whatever was there: no row
/// has a part in another one's sums.
fn pack<'a>(
    rows: &[f32],
    width: usize,
    part: &Range<usize>,
    left: &'a mut Vec<Line>,
) -> &'a [Line] {
    let block = part.len() * STEP;
    let length = (rows.len() / width).div_ceil(BLOCK) * block;
    if left.len() < length {
        left.resize(length, Line::ZERO);
    }
    for (index, row) in rows.chunks_exact(width).enumerate() {
        let row = &row[part.start * BLOCK..part.end * BLOCK];
        // SAFETY: as above.
        unsafe {
            pack_row(
                row,
                index % BLOCK,
                &mut left[index / BLOCK * block..][..block],
            )
        };
    }
    &left[..length]
}

/// One row of a block of the left side.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
pub(crate) fn pack_row(row: &[f32], index: usize, block: &mut [Line]) {
    let steps = block.as_chunks_mut::<STEP>().0.iter_mut();
    for (values, step) in row.as_chunks::<BLOCK>().0.iter().zip(steps) {
        let (high, low) = step.split_at_mut(STEP / 2);
        split(values, &mut high[index], &mut low[index]);
    }
}
