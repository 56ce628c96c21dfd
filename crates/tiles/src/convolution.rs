//! A convolution with fixed weights, and what follows it in a residual network: bias, sum with another map, ReLU.
//!
//! The product is W [outputs, channels x taps] by X [channels x taps, positions]. X is made for 32 positions at a time
//! and some steps of the sum: a kernel of one tap takes it from the maps as they are; for others the maps are padded
//! and split by the phase of the stride first, after which every tap reads positions that follow one another. Positions
//! between the rows of the output, which padding makes, are computed and thrown away.

use std::cell::RefCell;
use std::ops::Range;

use crate::arithmetic::{Arithmetic, Unit};
use crate::block::{BLOCK, Line, Sums};
use crate::linear::{pack_row, parts};
use crate::planes::{Block, Planes, Shape};

/// Most steps of a sum at once, and most lines of X: they stay in a core's own cache while all weights are multiplied
/// by them.
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

/// A convolution, ready for the blocks.
pub(crate) struct Convolution {
    arithmetic: Arithmetic,
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
    pub(crate) fn new(
        arithmetic: Arithmetic,
        (shape, weights): (Shape, &[[u8; 4]]),
        bias: Vec<f32>,
        relu: bool,
    ) -> Self {
        let taps = shape.kernel * shape.kernel;
        let width = taps * shape.inputs;
        assert!(shape.fits() && weights.len() == shape.outputs * width);
        assert_eq!(bias.len(), shape.outputs);
        let parts = parts(width / BLOCK, STEPS);
        let step = arithmetic.step();
        let panel_lines = shape.outputs.div_ceil(BLOCK) * step;
        let mut lines = vec![Line::ZERO; panel_lines * width / BLOCK];
        let mut row = vec![0.0; width];
        for (output, weights) in weights.chunks_exact(width).enumerate() {
            for (channel, weights) in weights.chunks_exact(taps).enumerate() {
                let (group, channel) = (channel / BLOCK * taps, channel % BLOCK);
                for (tap, weight) in weights.iter().enumerate() {
                    row[(group + tap) * BLOCK + channel] = f32::from_le_bytes(*weight);
                }
            }
            for part in &parts {
                let lines = &mut lines[part.start * panel_lines..part.end * panel_lines];
                let panel = &mut lines[output / BLOCK * part.len() * step..][..part.len() * step];
                let row = &row[part.start * BLOCK..part.end * BLOCK];
                // SAFETY: whoever can multiply blocks has these vectors.
                unsafe { pack_row(arithmetic, row, output % BLOCK, panel) };
            }
        }
        Self {
            arithmetic,
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

    /// `maps` [B, inputs, H, W] to `out` [B, outputs, h, w], to which `other`, of the same sizes, is added before the
    /// ReLU.
    pub(crate) fn apply(
        &self,
        (maps, sizes): (&[f32], Sizes),
        other: Option<&[f32]>,
        out: &mut [f32],
    ) {
        let [pictures, _, height, width] = sizes;
        let planes = Planes::new(self.arithmetic, self.shape, height, width);
        let room = (MAPS / (8 * planes.picture())).clamp(1, pictures);
        let (map, result) = (
            self.shape.inputs * height * width,
            self.shape.outputs * planes.area(),
        );
        SPACE.with_borrow_mut(|space| {
            let unit = Unit::new(self.arithmetic);
            for (number, maps) in maps.chunks(room * map).enumerate() {
                let range = number * room * result..(number * room + maps.len() / map) * result;
                let work = Work {
                    planes: &planes,
                    room,
                    maps,
                    other: other.map(|other| &other[range.clone()]),
                };
                self.some(&unit, &work, space, &mut out[range]);
            }
        });
    }

    /// The result of some pictures.
    fn some(&self, unit: &Unit, work: &Work, space: &mut Space, out: &mut [f32]) {
        let Work { planes, room, .. } = *work;
        if !planes.is_direct() {
            space
                .maps
                .resize(planes.length(room).max(space.maps.len()), 0);
            planes.fill(work.maps, room, &mut space.maps[..planes.length(room)]);
        }
        let longest = self.parts.iter().map(Range::len).max().unwrap_or(1);
        let longest = longest * self.arithmetic.step();
        let at_once = (LINES / longest).max(1);
        let (count, zero) = (self.places() * at_once, Sums([0.0; BLOCK * BLOCK]));
        space.sums.resize(count.max(space.sums.len()), zero);
        let count = at_once * longest;
        space.right.resize(count.max(space.right.len()), Line::ZERO);
        let steps = planes.steps(room);
        let blocks = planes.blocks(out.len() / (self.shape.outputs * planes.area()));
        for blocks in blocks.chunks(at_once) {
            for part in &self.parts {
                let lines = part.len() * self.arithmetic.step();
                for (block, right) in blocks.iter().zip(space.right.chunks_exact_mut(lines)) {
                    let steps = &steps[part.clone()];
                    // SAFETY: whoever can multiply blocks has these vectors.
                    unsafe {
                        match planes.is_direct() {
                            true => planes.take_directly(work.maps, block, part, right),
                            false => planes.take(&space.maps, (block.at, room), steps, right),
                        }
                    }
                }
                let right = (&space.right[..blocks.len() * lines], blocks);
                self.multiply(unit, (work, part), right, (&mut space.sums, out));
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
        unit: &Unit,
        (work, part): (&Work, &Range<usize>),
        (right, blocks): (&[Line], &[Block]),
        (sums, out): (&mut [Sums], &mut [f32]),
    ) {
        let lines = part.len() * self.arithmetic.step();
        let panel_lines = self.shape.outputs.div_ceil(BLOCK) * self.arithmetic.step();
        let left = &self.weights[part.start * panel_lines..part.end * panel_lines];
        let is_last = self.parts.last() == Some(part);
        for (panel, left) in left.chunks_exact(lines).enumerate() {
            let sums = &mut sums[panel % self.places() * blocks.len()..][..blocks.len()];
            let mut ahead = left.as_ptr_range().end;
            for (right, sums) in right.chunks_exact(lines).zip(&mut *sums) {
                let how = (part.start > 0, ahead);
                unit.block((left, right), (&mut sums.0, BLOCK), how);
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
