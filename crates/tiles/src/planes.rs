//! Maps as the right side of a product: what a convolution's taps read, for 32 positions at a time.

use std::ops::Range;

use crate::arithmetic::Arithmetic;
use crate::block::{BLOCK, HALF, Line, pairs};
use crate::split::{split_pairs, split_pairs_by_two};

/// Shape of a convolution: square, as many steps down as to the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}

impl Shape {
    /// Whether such a convolution can be computed here.
    pub(crate) fn fits(&self) -> bool {
        let channels = self.inputs > 0 && self.inputs.is_multiple_of(BLOCK);
        channels && self.padding < self.kernel && (1..=2).contains(&self.stride)
    }

    /// Positions of the output along an axis; none where the kernel is larger than the padded input.
    pub(crate) fn output(&self, input: usize) -> usize {
        let free = (input + 2 * self.padding).checked_sub(self.kernel);
        free.map_or(0, |free| free / self.stride + 1)
    }
}

/// 32 positions that follow one another.
pub(crate) struct Block {
    /// The first one's place in a plane.
    pub at: usize,
    pub runs: Vec<Run>,
}

/// Positions of a block that are positions of the output.
pub(crate) struct Run {
    pub picture: usize,
    /// In the block.
    pub from: usize,
    /// In the output's map.
    pub to: usize,
    pub count: usize,
}

/// How padded maps lie: for each phase of the stride and each two channels a plane of pairs, in it one picture after
/// the other; high halves first, then low ones.
pub(crate) struct Planes {
    arithmetic: Arithmetic,
    shape: Shape,
    input: (usize, usize),
    output: (usize, usize),
    /// Rows of a picture in a plane, and their length.
    rows: usize,
    columns: usize,
}

impl Planes {
    pub(crate) fn new(arithmetic: Arithmetic, shape: Shape, height: usize, width: usize) -> Self {
        let output = (shape.output(height), shape.output(width));
        let more = (shape.kernel - 1) / shape.stride;
        Self {
            arithmetic,
            shape,
            input: (height, width),
            output,
            rows: output.0 + more,
            columns: output.1 + more,
        }
    }

    /// Positions of the output.
    pub(crate) fn area(&self) -> usize {
        self.output.0 * self.output.1
    }

    /// Phases that a tap falls on, along an axis.
    fn phases(&self) -> usize {
        self.shape.stride.min(self.shape.kernel)
    }

    /// Pairs of a picture, in all planes.
    pub(crate) fn picture(&self) -> usize {
        self.phases().pow(2) * self.shape.inputs / 2 * self.rows * self.columns
    }

    /// Whether X is the maps as they are.
    pub(crate) fn is_direct(&self) -> bool {
        self.shape.kernel == 1 && self.shape.stride == 1
    }

    /// Length of a plane, with room for a block's last positions.
    fn plane(&self, pictures: usize) -> usize {
        pictures * self.rows * self.columns + BLOCK
    }

    /// Length of all high halves, after which the low ones come, where there are some.
    fn low(&self, pictures: usize) -> usize {
        self.phases().pow(2) * self.shape.inputs / 2 * self.plane(pictures)
    }

    /// All of it, with room for the last position's last tap.
    pub(crate) fn length(&self, pictures: usize) -> usize {
        self.arithmetic.step() / HALF * self.low(pictures) + self.shape.kernel * (self.columns + 1)
    }

    /// Where the steps of a block begin: 16 pairs of channels after 16, of each tap by tap.
    pub(crate) fn steps(&self, pictures: usize) -> Vec<usize> {
        let Shape {
            inputs,
            kernel,
            stride,
            ..
        } = self.shape;
        let plane = self.plane(pictures);
        let mut steps = Vec::new();
        for group in 0..inputs / BLOCK {
            for tap in 0..kernel * kernel {
                let (down, right) = (tap / kernel, tap % kernel);
                let phase = down % stride * self.phases() + right % stride;
                let shift = down / stride * self.columns + right / stride;
                steps.push((phase * inputs / 2 + 16 * group) * plane + shift);
            }
        }
        steps
    }

    /// X of a block and some steps, from planes.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(crate) fn take(
        &self,
        maps: &[u32],
        (at, room): (usize, usize),
        steps: &[usize],
        right: &mut [Line],
    ) {
        let (plane, low) = (self.plane(room), self.low(room));
        let lines = right.chunks_exact_mut(self.arithmetic.step());
        for (step, lines) in steps.iter().zip(lines) {
            for (row, target) in pairs(lines)
                .as_chunks_mut::<BLOCK>()
                .0
                .iter_mut()
                .enumerate()
            {
                // 16 rows of high halves, then as many of low ones
                let from = step + at + row % 16 * plane + row / 16 * low;
                target.copy_from_slice(&maps[from..][..BLOCK]);
            }
        }
    }

    /// X of a block and some steps, from maps [B, channels, H, W] and a kernel of one tap.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(crate) fn take_directly(
        &self,
        maps: &[f32],
        block: &Block,
        part: &Range<usize>,
        right: &mut [Line],
    ) {
        let area = self.area();
        let lines = right.chunks_exact_mut(self.arithmetic.step());
        for (step, lines) in part.clone().zip(lines) {
            let (high, low) = lines.split_at_mut(HALF);
            let (high_rows, low) = (pairs(high).as_chunks_mut::<BLOCK>().0, pairs(low));
            for (pair, high) in high_rows.iter_mut().enumerate() {
                let low = low.get_mut(pair * BLOCK..(pair + 1) * BLOCK);
                let low = low.unwrap_or_default();
                for run in &block.runs {
                    let map = run.picture * self.shape.inputs + step * BLOCK + 2 * pair;
                    let from = map * area + run.to;
                    let from = (&maps[from..], &maps[from + area..]);
                    let to = run.from..run.from + run.count;
                    let low = low.get_mut(to.clone()).unwrap_or_default();
                    split_pairs(from, &mut high[to], low);
                }
            }
        }
    }

    /// Lays out [B, channels, height, width], B at most `pictures`. Padding is written, too: what was there before is
    /// of other maps.
    pub(crate) fn fill(&self, maps: &[f32], pictures: usize, values: &mut [u32]) {
        let (height, width) = self.input;
        let plane = self.plane(pictures);
        let (high, low) = values.split_at_mut(self.low(pictures));
        let low = match self.arithmetic {
            Arithmetic::Float32 => low,
            Arithmetic::Bfloat16 => &mut [],
        };
        let picture = self.rows * self.columns;
        let of_picture = maps.chunks_exact(self.shape.inputs * height * width);
        for (number, maps) in of_picture.enumerate() {
            for (pair, maps) in maps.chunks_exact(2 * height * width).enumerate() {
                let maps = maps.split_at(height * width);
                for phase in 0..self.phases().pow(2) {
                    let at = (phase * self.shape.inputs / 2 + pair) * plane + number * picture;
                    let low = low.get_mut(at..at + picture).unwrap_or_default();
                    let target = (&mut high[at..][..picture], low);
                    self.fill_plane(maps, phase, target);
                }
            }
        }
    }

    /// One picture's part of a plane.
    fn fill_plane(&self, maps: (&[f32], &[f32]), phase: usize, target: (&mut [u32], &mut [u32])) {
        let Shape {
            stride, padding, ..
        } = self.shape;
        let (down, right) = (phase / self.phases(), phase % self.phases());
        let (height, width) = self.input;
        let rows = target.0.chunks_exact_mut(self.columns);
        let columns = inside(self.columns, right, (stride, padding), width);
        for (row, high) in rows.enumerate() {
            let low = target
                .1
                .get_mut(row * self.columns..(row + 1) * self.columns);
            let low = low.unwrap_or_default();
            let y = (row * stride + down).checked_sub(padding);
            let y = y.filter(|y| *y < height && !columns.is_empty());
            let columns = if y.is_some() { columns.clone() } else { 0..0 };
            for row in [&mut *high, &mut *low]
                .into_iter()
                .filter(|row| !row.is_empty())
            {
                row[..columns.start].fill(0);
                row[columns.end..].fill(0);
            }
            let Some(y) = y else { continue };
            let x = columns.start * stride + right - padding;
            let from = (&maps.0[y * width + x..], &maps.1[y * width + x..]);
            let low = low.get_mut(columns.clone()).unwrap_or_default();
            let high = &mut high[columns.clone()];
            // SAFETY: as above.
            match stride {
                1 => unsafe { split_pairs(from, high, low) },
                _ => unsafe { split_pairs_by_two(from, high, low) },
            }
        }
    }

    /// The blocks of some pictures. Without padding the next picture follows at once and fills up a block; with it each
    /// picture has blocks of its own.
    pub(crate) fn blocks(&self, count: usize) -> Vec<Block> {
        let picture = self.rows * self.columns;
        let parts = match picture == self.area() {
            true => vec![(0, count * picture)],
            false => (0..count)
                .map(|number| {
                    (
                        number * picture,
                        (self.output.0 - 1) * self.columns + self.output.1,
                    )
                })
                .collect(),
        };
        let mut blocks = Vec::new();
        for (at, length) in parts {
            let starts = (at..at + length).step_by(BLOCK);
            blocks.extend(starts.map(|start| self.block(start, (at + length).min(start + BLOCK))));
        }
        blocks
    }

    fn block(&self, start: usize, end: usize) -> Block {
        let (picture, mut runs) = (self.rows * self.columns, Vec::<Run>::new());
        for at in start..end {
            let (number, place) = (at / picture, at % picture);
            let (y, x) = (place / self.columns, place % self.columns);
            if y >= self.output.0 || x >= self.output.1 {
                continue;
            }
            let to = y * self.output.1 + x;
            match runs.last_mut() {
                Some(run)
                    if run.picture == number
                        && run.from + run.count == at - start
                        && run.to + run.count == to =>
                {
                    run.count += 1
                }
                _ => runs.push(Run {
                    picture: number,
                    from: at - start,
                    to,
                    count: 1,
                }),
            }
        }
        Block { at: start, runs }
    }
}

/// Columns of a plane that lie inside the input; the others are padding.
fn inside(
    columns: usize,
    phase: usize,
    (stride, padding): (usize, usize),
    width: usize,
) -> Range<usize> {
    let is_inside =
        |column: &usize| (padding..padding + width).contains(&(column * stride + phase));
    let first = (0..columns).find(is_inside).unwrap_or(0);
    let last = (0..columns).rfind(is_inside).map_or(0, |last| last + 1);
    first..last
}
