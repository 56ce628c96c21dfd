//! A convolution with fixed weights, and what follows it in a residual network: bias, sum with another map, ReLU.
//!
//! The product is W [outputs, channels x taps] by X [channels x taps, positions]. X is made for 32 positions at a time and some steps of the sum: a kernel of one tap takes it from the maps as they are; for others
//! the maps are padded and split by the phase of the stride first, after which every tap reads positions that follow one another. Positions between the rows of the output, which padding makes, are computed and
//! thrown away.

use std::cell::RefCell;
use std::ops::Range;

use super::linear::{pack_row, parts};
use super::split::{split_pairs, split_pairs_by_two};
use super::tiles::{BLOCK, Line, STEP, Sums, Tiles, pairs};

/// Most steps of a sum at once, and most lines of X: they stay in a core's own cache while all weights are multiplied by them.
const STEPS: usize = 24;
const LINES: usize = (1 << 20) / 64;
/// Bytes of padded maps of one or several pictures at a time.
const MAPS: usize = 1 << 20;

thread_local! {
    /// Kept from call to call: memory that is new to a process is slow.
    static SPACE: RefCell<Space> = const { RefCell::new(Space::new()) };
}

/// What a thread needs to compute a convolution.
struct Space {
    /// Padded maps.
    maps: Vec<u32>,
    /// X of some blocks and some steps.
    right: Vec<Line>,
    /// Sums of all outputs at the positions of some blocks.
    sums: Vec<Sums>,
}

impl Space {
    const fn new() -> Self {
        Self {
            maps: Vec::new(),
            right: Vec::new(),
            sums: Vec::new(),
        }
    }
}

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

/// A convolution, ready for the tiles.
pub(crate) struct Convolution {
    shape: Shape,
    parts: Vec<Range<usize>>,
    /// For each part of the steps, for each 32 outputs, all steps: 32 channels after 32, of each tap by tap.
    weights: Vec<Line>,
    bias: Vec<f32>,
    relu: bool,
}

/// Sizes of maps, [B, channels, height, width].
pub(crate) type Sizes = [usize; 4];

/// Maps, and what is added to what becomes of them.
struct Work<'a> {
    planes: &'a Planes,
    /// Pictures for which the planes have room.
    room: usize,
    maps: &'a [f32],
    other: Option<&'a [f32]>,
}

impl Convolution {
    /// `weights` [outputs, inputs, kernel, kernel], little-endian, of a shape that fits; `bias` [outputs].
    pub(crate) fn new(shape: Shape, weights: &[[u8; 4]], bias: Vec<f32>, relu: bool) -> Self {
        let taps = shape.kernel * shape.kernel;
        let width = taps * shape.inputs;
        assert!(shape.fits() && weights.len() == shape.outputs * width);
        assert_eq!(bias.len(), shape.outputs);
        let parts = parts(width / BLOCK, STEPS);
        let panels = shape.outputs.div_ceil(BLOCK);
        let mut lines = vec![Line::ZERO; panels * width / BLOCK * STEP];
        let mut row = vec![0.0; width];
        for (output, weights) in weights.chunks_exact(width).enumerate() {
            for (channel, weights) in weights.chunks_exact(taps).enumerate() {
                let (group, channel) = (channel / BLOCK * taps, channel % BLOCK);
                for (tap, weight) in weights.iter().enumerate() {
                    row[(group + tap) * BLOCK + channel] = f32::from_le_bytes(*weight);
                }
            }
            for part in &parts {
                let lines = &mut lines[part.start * panels * STEP..part.end * panels * STEP];
                let panel = &mut lines[output / BLOCK * part.len() * STEP..][..part.len() * STEP];
                let row = &row[part.start * BLOCK..part.end * BLOCK];
                // SAFETY: whoever can multiply by tiles has these vectors.
                unsafe { pack_row(row, output % BLOCK, panel) };
            }
        }
        Self {
            shape,
            parts,
            weights: lines,
            bias,
            relu,
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// `maps` [B, inputs, H, W] to `out` [B, outputs, h, w], to which `other`, of the same sizes, is added before the ReLU.
    pub(crate) fn apply(
        &self,
        (maps, sizes): (&[f32], Sizes),
        other: Option<&[f32]>,
        out: &mut [f32],
    ) {
        let [pictures, _, height, width] = sizes;
        let planes = Planes::new(self.shape, height, width);
        let room = (MAPS / (8 * planes.picture())).clamp(1, pictures);
        let (map, result) = (
            self.shape.inputs * height * width,
            self.shape.outputs * planes.area(),
        );
        SPACE.with_borrow_mut(|space| {
            let tiles = Tiles::new();
            for (number, maps) in maps.chunks(room * map).enumerate() {
                let range = number * room * result..(number * room + maps.len() / map) * result;
                let work = Work {
                    planes: &planes,
                    room,
                    maps,
                    other: other.map(|other| &other[range.clone()]),
                };
                self.some(&tiles, &work, space, &mut out[range]);
            }
        });
    }

    /// The result of some pictures.
    fn some(&self, tiles: &Tiles, work: &Work, space: &mut Space, out: &mut [f32]) {
        let Work { planes, room, .. } = *work;
        if !planes.is_direct() {
            space
                .maps
                .resize(planes.length(room).max(space.maps.len()), 0);
            planes.fill(work.maps, room, &mut space.maps[..planes.length(room)]);
        }
        let longest = self.parts.iter().map(Range::len).max().unwrap_or(1) * STEP;
        let at_once = (LINES / longest).max(1);
        let (count, zero) = (self.places() * at_once, Sums([0.0; BLOCK * BLOCK]));
        space.sums.resize(count.max(space.sums.len()), zero);
        let count = at_once * longest;
        space.right.resize(count.max(space.right.len()), Line::ZERO);
        let steps = planes.steps(room);
        let blocks = planes.blocks(out.len() / (self.shape.outputs * planes.area()));
        for blocks in blocks.chunks(at_once) {
            for part in &self.parts {
                let lines = part.len() * STEP;
                for (block, right) in blocks.iter().zip(space.right.chunks_exact_mut(lines)) {
                    let steps = &steps[part.clone()];
                    // SAFETY: whoever can multiply by tiles has these vectors.
                    unsafe {
                        match planes.is_direct() {
                            true => planes.take_directly(work.maps, block, part, right),
                            false => planes.take(&space.maps, (block.at, room), steps, right),
                        }
                    }
                }
                let right = (&space.right[..blocks.len() * lines], blocks);
                self.multiply(tiles, (work, part), right, (&mut space.sums, out));
            }
        }
    }

    /// For how many times 32 outputs sums are kept: what is finished at once needs no place of its own.
    fn places(&self) -> usize {
        match self.parts.len() {
            1 => 1,
            _ => self.shape.outputs.div_ceil(BLOCK),
        }
    }

    /// A part of all sums at the positions of some blocks, and after the last part what follows.
    fn multiply(
        &self,
        tiles: &Tiles,
        (work, part): (&Work, &Range<usize>),
        (right, blocks): (&[Line], &[Block]),
        (sums, out): (&mut [Sums], &mut [f32]),
    ) {
        let lines = part.len() * STEP;
        let panels = self.shape.outputs.div_ceil(BLOCK);
        let left = &self.weights[part.start * panels * STEP..part.end * panels * STEP];
        let is_last = self.parts.last() == Some(part);
        for (panel, left) in left.chunks_exact(lines).enumerate() {
            let sums = &mut sums[panel % self.places() * blocks.len()..][..blocks.len()];
            let mut ahead = left.as_ptr_range().end;
            for (right, sums) in right.chunks_exact(lines).zip(&mut *sums) {
                let how = (part.start > 0, ahead);
                tiles.block((left, right), (&mut sums.0, BLOCK), how);
                ahead = ahead.wrapping_add(lines / 8);
            }
            let outputs = panel * BLOCK..self.shape.outputs.min((panel + 1) * BLOCK);
            for (sums, block) in sums.iter().zip(blocks).filter(|_| is_last) {
                // SAFETY: as above.
                unsafe { self.finish(&sums.0, (outputs.clone(), block), work, out) };
            }
        }
    }

    /// What follows the sums of a block.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn finish(
        &self,
        sums: &[f32],
        (outputs, block): (Range<usize>, &Block),
        work: &Work,
        out: &mut [f32],
    ) {
        let area = work.planes.area();
        for (output, sums) in outputs.zip(sums.chunks_exact(BLOCK)) {
            for run in &block.runs {
                let at = (run.picture * self.shape.outputs + output) * area + run.to;
                let sums = &sums[run.from..][..run.count];
                let target = &mut out[at..][..run.count];
                let bias = self.bias[output];
                match work.other {
                    None => target
                        .iter_mut()
                        .zip(sums)
                        .for_each(|(to, sum)| *to = self.rectified(sum + bias)),
                    Some(other) => {
                        let other = &other[at..][..run.count];
                        let sums = sums.iter().zip(other);
                        target.iter_mut().zip(sums).for_each(|(to, (sum, other))| {
                            *to = self.rectified(sum + bias + other)
                        });
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn rectified(&self, value: f32) -> f32 {
        // a comparison that lets pass what is not a number
        if self.relu && value < 0.0 { 0.0 } else { value }
    }
}

/// 32 positions that follow one another.
struct Block {
    /// The first one's place in a plane.
    at: usize,
    runs: Vec<Run>,
}

/// Positions of a block that are positions of the output.
struct Run {
    picture: usize,
    /// In the block.
    from: usize,
    /// In the output's map.
    to: usize,
    count: usize,
}

/// How padded maps lie: for each phase of the stride and each two channels a plane of pairs, in it one picture after the other; high halves first, then low ones.
struct Planes {
    shape: Shape,
    input: (usize, usize),
    output: (usize, usize),
    /// Rows of a picture in a plane, and their length.
    rows: usize,
    columns: usize,
}

impl Planes {
    fn new(shape: Shape, height: usize, width: usize) -> Self {
        let output = (shape.output(height), shape.output(width));
        let more = (shape.kernel - 1) / shape.stride;
        Self {
            shape,
            input: (height, width),
            output,
            rows: output.0 + more,
            columns: output.1 + more,
        }
    }

    /// Positions of the output.
    fn area(&self) -> usize {
        self.output.0 * self.output.1
    }

    /// Phases that a tap falls on, along an axis.
    fn phases(&self) -> usize {
        self.shape.stride.min(self.shape.kernel)
    }

    /// Pairs of a picture, in all planes.
    fn picture(&self) -> usize {
        self.phases().pow(2) * self.shape.inputs / 2 * self.rows * self.columns
    }

    /// Whether X is the maps as they are.
    fn is_direct(&self) -> bool {
        self.shape.kernel == 1 && self.shape.stride == 1
    }

    /// Length of a plane, with room for a block's last positions.
    fn plane(&self, pictures: usize) -> usize {
        pictures * self.rows * self.columns + BLOCK
    }

    /// From high to low halves.
    fn low(&self, pictures: usize) -> usize {
        self.phases().pow(2) * self.shape.inputs / 2 * self.plane(pictures)
    }

    /// All of it, with room for the last position's last tap.
    fn length(&self, pictures: usize) -> usize {
        2 * self.low(pictures) + self.shape.kernel * (self.columns + 1)
    }

    /// Where the steps of a block begin: 16 pairs of channels after 16, of each tap by tap.
    fn steps(&self, pictures: usize) -> Vec<usize> {
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
    fn take(&self, maps: &[u32], (at, room): (usize, usize), steps: &[usize], right: &mut [Line]) {
        let (plane, low) = (self.plane(room), self.low(room));
        for (step, lines) in steps.iter().zip(right.as_chunks_mut::<STEP>().0) {
            let rows = pairs(lines).as_chunks_mut::<BLOCK>().0;
            let (high_rows, low_rows) = rows.split_at_mut(16);
            for (pair, (high_row, low_row)) in high_rows.iter_mut().zip(low_rows).enumerate() {
                let from = step + at + pair * plane;
                high_row.copy_from_slice(&maps[from..][..BLOCK]);
                low_row.copy_from_slice(&maps[from + low..][..BLOCK]);
            }
        }
    }

    /// X of a block and some steps, from maps [B, channels, H, W] and a kernel of one tap.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn take_directly(&self, maps: &[f32], block: &Block, part: &Range<usize>, right: &mut [Line]) {
        let area = self.area();
        for (step, lines) in part.clone().zip(right.as_chunks_mut::<STEP>().0) {
            let rows = pairs(lines).as_chunks_mut::<BLOCK>().0;
            let (high_rows, low_rows) = rows.split_at_mut(16);
            for (pair, (high, low)) in high_rows.iter_mut().zip(low_rows).enumerate() {
                for run in &block.runs {
                    let map = run.picture * self.shape.inputs + step * BLOCK + 2 * pair;
                    let from = map * area + run.to;
                    let from = (&maps[from..], &maps[from + area..]);
                    let to = run.from..run.from + run.count;
                    split_pairs(from, &mut high[to.clone()], &mut low[to]);
                }
            }
        }
    }

    /// Lays out [B, channels, height, width], B at most `pictures`. Padding is written, too: what was there before is of other maps.
    fn fill(&self, maps: &[f32], pictures: usize, values: &mut [u32]) {
        let (height, width) = self.input;
        let (plane, low) = (self.plane(pictures), self.low(pictures));
        let (high, low) = values.split_at_mut(low);
        let picture = self.rows * self.columns;
        let of_picture = maps.chunks_exact(self.shape.inputs * height * width);
        for (number, maps) in of_picture.enumerate() {
            for (pair, maps) in maps.chunks_exact(2 * height * width).enumerate() {
                let maps = maps.split_at(height * width);
                for phase in 0..self.phases().pow(2) {
                    let at = (phase * self.shape.inputs / 2 + pair) * plane + number * picture;
                    let target = (&mut high[at..][..picture], &mut low[at..][..picture]);
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
        let rows = rows.zip(target.1.chunks_exact_mut(self.columns));
        let columns = inside(self.columns, right, (stride, padding), width);
        for (row, (high, low)) in rows.enumerate() {
            let y = (row * stride + down).checked_sub(padding);
            let y = y.filter(|y| *y < height && !columns.is_empty());
            let columns = if y.is_some() { columns.clone() } else { 0..0 };
            for row in [&mut *high, &mut *low] {
                row[..columns.start].fill(0);
                row[columns.end..].fill(0);
            }
            let Some(y) = y else { continue };
            let x = columns.start * stride + right - padding;
            let from = (&maps.0[y * width + x..], &maps.1[y * width + x..]);
            let (high, low) = (&mut high[columns.clone()], &mut low[columns.clone()]);
            // SAFETY: as above.
            match stride {
                1 => unsafe { split_pairs(from, high, low) },
                _ => unsafe { split_pairs_by_two(from, high, low) },
            }
        }
    }

    /// The blocks of some pictures. Without padding the next picture follows at once and fills up a block; with it each picture has blocks of its own.
    fn blocks(&self, count: usize) -> Vec<Block> {
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
