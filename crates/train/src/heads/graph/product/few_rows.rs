//! A few rows (the posts of a batch) times a large matrix (the weights of a layer, or their transpose), with AVX-512.
//!
//! A general product arranges both matrices anew before it multiplies them, which for few rows takes as long as the
//! product. Here the large one is read once, where it lies: a block of its rows is copied as it is, or each number of a
//! row is multiplied with those of all posts.

use std::arch::x86_64::{
    __m512, _MM_HINT_T1, _mm_prefetch, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_storeu_ps,
};

use rayon::prelude::*;

use super::{Matrix, SHARED};

/// Columns that are worked on together: four registers.
const LANES: usize = 4 * WIDTH;
/// Numbers of a register.
const WIDTH: usize = 16;
/// Rows of a tile, whose sums stay in registers.
const TILE: usize = 6;
/// Length of the sums that are formed at once: so many rows of `LANES` columns fit the smallest cache.
const DEPTH: usize = 128;
/// Rows of a transposed matrix that a thread takes at a time.
const STRIP: usize = 8 * TILE;
/// Multiplications below which it is not worth it.
const LEAST: usize = 1 << 22;
/// More rows than this are not few.
const MOST_ROWS: usize = 256;

/// Whether the product is one of these.
pub(super) fn is_one(a: Matrix, b: Matrix) -> bool {
    let is_large = a.rows * a.columns * b.columns >= LEAST && b.columns >= LANES / 2;
    let are_few = a.rows <= MOST_ROWS && 3 * a.rows >= 2 * a.rows.next_multiple_of(LANES);
    let lie_well = a.strides[1] == 1 && b.strides.contains(&1);
    is_large && are_few && lie_well && is_x86_feature_detected!("avx512f")
}

/// What all threads write to, each its own places.
#[derive(Clone, Copy)]
struct Target {
    values: *mut f32,
    columns: usize,
    adds: bool,
}

// SAFETY: `put` says who may write where.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

impl Target {
    /// Sets, or adds to, part of a row.
    ///
    /// # Safety
    /// The part is inside the matrix, and no other thread has it.
    unsafe fn put(self, row: usize, column: usize, values: impl ExactSizeIterator<Item = f32>) {
        for (i, value) in values.enumerate() {
            // SAFETY: the caller's.
            unsafe {
                let place = self.values.add(row * self.columns + column + i);
                *place = if self.adds { *place + value } else { value };
            }
        }
    }
}

/// `target = a·b`, or `target += a·b`, where [`is_one`] says so.
///
/// # Safety
/// `target` has room for the product, is initialised where it is added to, and nobody else has it.
pub(super) unsafe fn multiply(target: *mut f32, adds: bool, (a, b): (Matrix, Matrix)) {
    let target = Target {
        values: target,
        columns: b.columns,
        adds,
    };
    let is_shared = a.rows * a.columns * b.columns >= SHARED;
    match b.strides[1] {
        1 => each(b.columns.div_ceil(LANES), is_shared, |part| {
            // SAFETY: the part's columns are its own.
            unsafe { columns(target, (a, b), part * LANES) }
        }),
        _ => {
            let panels = transposed(a);
            each(b.columns.div_ceil(STRIP), is_shared, |part| {
                // SAFETY: as above.
                unsafe { strip(target, (a, b), &panels, part * STRIP) }
            });
        }
    }
}

/// On all threads or on this one.
fn each(count: usize, is_shared: bool, run: impl Fn(usize) + Sync + Send) {
    match is_shared {
        true => (0..count).into_par_iter().for_each(run),
        false => (0..count).for_each(run),
    }
}

/// The columns from `first` on, of a product with a matrix that lies row by row.
///
/// # Safety
/// As of [`Target::put`].
unsafe fn columns(target: Target, (a, b): (Matrix, Matrix), first: usize) {
    let width = LANES.min(b.columns - first);
    let mut panel = vec![0.0; DEPTH.min(b.rows) * LANES];
    let mut sums = vec![0.0; a.rows * LANES];
    for start in (0..b.rows).step_by(DEPTH) {
        let depth = DEPTH.min(b.rows - start);
        for (i, row) in panel.chunks_exact_mut(LANES).take(depth).enumerate() {
            row[..width].copy_from_slice(&b.values[(start + i) * b.strides[0] + first..][..width]);
        }
        let rows = Rows::of(&a.values[start..], a.strides[0], a.rows);
        // the next block's rows, a register's width of each at a time
        let next = b.values.as_ptr();
        let next = next.wrapping_add((start + DEPTH) * b.strides[0] + first);
        let next = |tile: usize, i: usize| match tile < LANES / WIDTH {
            true => Some(next.wrapping_add(i * b.strides[0] + tile * WIDTH)),
            false => None,
        };
        rows.multiply(&panel[..depth * LANES], &mut sums, next);
    }
    for (row, sums) in sums.chunks_exact(LANES).enumerate() {
        // SAFETY: the caller's.
        unsafe { target.put(row, first, sums[..width].iter().copied()) };
    }
}

/// The columns from `first` on, of a product with a matrix that lies column by column; `panels` as [`transposed`] gives
/// them.
///
/// # Safety
/// As of [`Target::put`].
unsafe fn strip(target: Target, (a, b): (Matrix, Matrix), panels: &[f32], first: usize) {
    let count = STRIP.min(b.columns - first);
    for (group, panel) in panels.chunks_exact(a.columns * LANES).enumerate() {
        let mut sums = vec![0.0; count * LANES];
        for (block, panel) in panel.chunks(DEPTH * LANES).enumerate() {
            let values = &b.values[first * b.strides[1] + block * DEPTH..];
            // the rows of the next tile
            let next = |tile: usize, i: usize| match i < TILE * DEPTH / WIDTH {
                true => {
                    let row = (tile + 1) * TILE + i % TILE;
                    Some((values.as_ptr()).wrapping_add(row * b.strides[1] + i / TILE * WIDTH))
                }
                false => None,
            };
            Rows::of(values, b.strides[1], count).multiply(panel, &mut sums, next);
        }
        let start = group * LANES;
        for lane in 0..LANES.min(a.rows - start) {
            let row = sums[lane..].iter().step_by(LANES).copied();
            // SAFETY: the caller's.
            unsafe { target.put(start + lane, first, row) };
        }
    }
}

/// For every [`LANES`] rows a panel in which they are columns, the last filled up with zeros.
fn transposed(a: Matrix) -> Vec<f32> {
    let mut panels = vec![0.0; a.rows.div_ceil(LANES) * LANES * a.columns];
    for (group, panel) in panels.chunks_exact_mut(a.columns * LANES).enumerate() {
        let start = group * LANES;
        let count = LANES.min(a.rows - start);
        let row = |lane: usize| &a.values[(start + lane) * a.strides[0]..][..a.columns];
        let blocks = panel.par_chunks_mut(DEPTH * LANES).enumerate();
        blocks.for_each(|(block, panel)| {
            for lanes in (0..count).step_by(WIDTH) {
                let rows = lanes..count.min(lanes + WIDTH);
                let rows: Vec<_> = rows.map(|lane| &row(lane)[block * DEPTH..]).collect();
                for (i, column) in panel.chunks_exact_mut(LANES).enumerate() {
                    for (value, row) in column[lanes..].iter_mut().zip(&rows) {
                        *value = row[i];
                    }
                }
            }
        });
    }
    panels
}

/// Rows in memory, each with its numbers side by side.
#[derive(Clone, Copy)]
struct Rows<'a> {
    values: &'a [f32],
    stride: usize,
    count: usize,
}

impl<'a> Rows<'a> {
    fn of(values: &'a [f32], stride: usize, count: usize) -> Self {
        Self {
            values,
            stride,
            count,
        }
    }

    /// Adds the product of their beginnings with a panel to the sums, [`LANES`] a row. `next` says what is going to be
    /// read, by tile and number of the product: the large matrix would be waited for.
    fn multiply(
        self,
        panel: &[f32],
        sums: &mut [f32],
        next: impl Fn(usize, usize) -> Option<*const f32>,
    ) {
        let depth = panel.len() / LANES;
        assert_eq!(sums.len(), self.count * LANES);
        assert!((self.count - 1) * self.stride + depth <= self.values.len());
        for (i, sums) in sums.chunks_mut(TILE * LANES).enumerate() {
            let rows = &self.values[i * TILE * self.stride..];
            let next = |number| next(i, number);
            // SAFETY: the assertions above, and that of `is_one` about the processor.
            unsafe {
                match sums.len() / LANES {
                    6 => tile::<6>((rows, self.stride), panel, sums, next),
                    5 => tile::<5>((rows, self.stride), panel, sums, next),
                    4 => tile::<4>((rows, self.stride), panel, sums, next),
                    3 => tile::<3>((rows, self.stride), panel, sums, next),
                    2 => tile::<2>((rows, self.stride), panel, sums, next),
                    _ => tile::<1>((rows, self.stride), panel, sums, next),
                }
            }
        }
    }
}

/// `R` rows times a panel.
///
/// # Safety
/// The processor has AVX-512; every row has as many numbers as the panel has rows, and the sums have `R` rows.
#[target_feature(enable = "avx512f")]
unsafe fn tile<const R: usize>(
    (rows, stride): (&[f32], usize),
    panel: &[f32],
    sums: &mut [f32],
    next: impl Fn(usize) -> Option<*const f32>,
) {
    let registers = |values: *const f32| -> [__m512; 4] {
        // SAFETY: of this function's callers.
        std::array::from_fn(|j| unsafe { _mm512_loadu_ps(values.add(j * WIDTH)) })
    };
    let mut found = [[_mm512_setzero_ps(); 4]; R];
    for (row, found) in found.iter_mut().enumerate() {
        *found = registers(sums[row * LANES..][..LANES].as_ptr());
    }
    for (i, panel) in panel.chunks_exact(LANES).enumerate() {
        if let Some(next) = next(i) {
            _mm_prefetch::<_MM_HINT_T1>(next.cast());
        }
        let panel = registers(panel.as_ptr());
        for (row, found) in found.iter_mut().enumerate() {
            // SAFETY: the caller's.
            let value = _mm512_set1_ps(unsafe { *rows.get_unchecked(row * stride + i) });
            for (found, panel) in found.iter_mut().zip(panel) {
                *found = _mm512_fmadd_ps(value, panel, *found);
            }
        }
    }
    for (sums, found) in sums.chunks_exact_mut(LANES).zip(found) {
        for (sums, found) in sums.chunks_exact_mut(WIDTH).zip(found) {
            // SAFETY: sixteen numbers.
            unsafe { _mm512_storeu_ps(sums.as_mut_ptr(), found) };
        }
    }
}
