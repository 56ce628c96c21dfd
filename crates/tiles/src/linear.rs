//! A linear map with fixed weights.

use std::cell::RefCell;
use std::ops::Range;

use crate::arithmetic::{Arithmetic, Unit};
use crate::block::{BLOCK, HALF, Line, Sums, pairs};
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

/// Weights of a linear map, laid out for the blocks: 4 bytes each in float32, as before, 2 in bfloat16.
pub(crate) struct Linear {
    arithmetic: Arithmetic,
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
    pub(crate) fn new(
        arithmetic: Arithmetic,
        weights: &[[u8; 4]],
        (inputs, outputs): (usize, usize),
    ) -> Self {
        assert!(Self::fits(inputs) && weights.len() == inputs * outputs);
        let parts = parts(inputs / BLOCK, STEPS);
        let step_lines = arithmetic.step();
        let count = outputs.div_ceil(BLOCK) * inputs / BLOCK * step_lines;
        let mut lines = vec![Line::ZERO; count];
        let mut targets = lines.chunks_exact_mut(step_lines);
        for part in &parts {
            for columns in (0..outputs).step_by(BLOCK) {
                let columns = columns..outputs.min(columns + BLOCK);
                for step in part.clone() {
                    let rows = &weights[step * BLOCK * outputs..][..BLOCK * outputs];
                    let target = targets.next().expect("as many as steps of all panels");
                    lay_out(rows, outputs, &columns, target);
                }
            }
        }
        Self {
            arithmetic,
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
        let panel_lines = self.outputs.div_ceil(BLOCK) * self.arithmetic.step();
        LEFT.with_borrow_mut(|left| {
            let unit = Unit::new(self.arithmetic);
            for (rows, out) in chunks.zip(out.chunks_mut(ROWS * self.outputs)) {
                for part in &self.parts {
                    let left = self.pack(rows, part, left);
                    let right = &self.weights[part.start * panel_lines..part.end * panel_lines];
                    self.multiply(&unit, (left, right, part), out);
                }
            }
        });
    }

    /// A part of all sums, of the rows that are packed.
    fn multiply(
        &self,
        unit: &Unit,
        (left, right, part): (&[Line], &[Line], &Range<usize>),
        out: &mut [f32],
    ) {
        let (lines, adds) = (part.len() * self.arithmetic.step(), part.start > 0);
        let mut edge = Sums([0.0; BLOCK * BLOCK]);
        for (panel, right) in right.chunks_exact(lines).enumerate() {
            let mut ahead = right.as_ptr_range().end;
            let columns = panel * BLOCK..self.outputs.min((panel + 1) * BLOCK);
            let blocks = left.chunks_exact(lines);
            for (left, out) in blocks.zip(out.chunks_mut(BLOCK * self.outputs)) {
                let how = (adds, ahead);
                ahead = ahead.wrapping_add(lines / 8);
                if out.len() == BLOCK * self.outputs && columns.len() == BLOCK {
                    unit.block(
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
                unit.block((left, right), (&mut edge.0, BLOCK), how);
                let rows = out.chunks_exact_mut(self.outputs);
                for (sums, row) in edge.0.chunks_exact(BLOCK).zip(rows) {
                    row[columns.clone()].copy_from_slice(&sums[..columns.len()]);
                }
            }
        }
    }

    /// A part of rows [B, inputs] as the left side of a product. What fills up the last block is whatever was there: no
    /// row has a part in another one's sums.
    fn pack<'a>(&self, rows: &[f32], part: &Range<usize>, left: &'a mut Vec<Line>) -> &'a [Line] {
        let block = part.len() * self.arithmetic.step();
        let length = (rows.len() / self.inputs).div_ceil(BLOCK) * block;
        if left.len() < length {
            left.resize(length, Line::ZERO);
        }
        for (index, row) in rows.chunks_exact(self.inputs).enumerate() {
            let row = &row[part.start * BLOCK..part.end * BLOCK];
            let block = &mut left[index / BLOCK * block..][..block];
            // SAFETY: as above.
            unsafe { pack_row(self.arithmetic, row, index % BLOCK, block) };
        }
        &left[..length]
    }
}

/// A step of 32 rows of weights [32, outputs], at most 32 columns of them.
fn lay_out(weights: &[[u8; 4]], outputs: usize, columns: &Range<usize>, lines: &mut [Line]) {
    let (high, low) = lines.split_at_mut(HALF);
    let (high, low) = (pairs(high).chunks_mut(BLOCK), pairs(low));
    let read = |row: &[[u8; 4]]| {
        let mut values = [0.0; BLOCK];
        for (value, bytes) in values.iter_mut().zip(&row[columns.clone()]) {
            *value = f32::from_le_bytes(*bytes);
        }
        values
    };
    let rows = weights.chunks_exact(2 * outputs).zip(high);
    for (pair, (rows, high)) in rows.enumerate() {
        let (first, second) = rows.split_at(outputs);
        let low = low
            .get_mut(pair * BLOCK..(pair + 1) * BLOCK)
            .unwrap_or_default();
        // SAFETY: whoever can multiply blocks has these vectors.
        unsafe { split_pairs((&read(first), &read(second)), high, low) };
    }
}

/// One row of a block of the left side.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
pub(crate) fn pack_row(arithmetic: Arithmetic, row: &[f32], index: usize, block: &mut [Line]) {
    let steps = block.chunks_exact_mut(arithmetic.step());
    for (values, step) in row.as_chunks::<BLOCK>().0.iter().zip(steps) {
        let (high, low) = step.split_at_mut(HALF);
        split(values, &mut high[index], low.get_mut(index));
    }
}
