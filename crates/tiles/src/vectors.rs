//! A block of a product, 32 x 32, by the vector instructions that multiply pairs of bfloat16 and add in float32
//! (AVX512_BF16), from the same lines that the tiles take.

use std::arch::x86_64::{
    __m512bh, __m512i, _MM_HINT_T1, _mm_prefetch, _mm512_dpbf16_ps, _mm512_fmadd_ps,
    _mm512_load_si512, _mm512_loadu_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_storeu_ps,
};
use std::hint::black_box;
use std::mem::transmute;
use std::time::Instant;

use crate::block::{BLOCK, HALF, Line, has_vectors};

/// Rows whose sums are kept in registers at once, each of 32 columns in two of them: sixteen sums hide how long an
/// instruction takes.
const ROWS: usize = 8;

/// Whether this processor has the instructions.
pub(crate) fn available() -> bool {
    is_x86_feature_detected!("avx512bf16")
}

/// Products of bfloat16 that this processor's vectors form in the time of one of float32: 2 or more where they are made
/// for it, less than 1 on processors for which it is no more than an instruction that exists.
pub fn rate() -> f64 {
    if !(has_vectors() && available()) {
        return 0.0;
    }
    let best = |run: unsafe fn()| {
        let times = (0..7).map(|_| {
            let started = Instant::now();
            // SAFETY: the instructions are there, as was asked.
            unsafe { run() };
            started.elapsed()
        });
        times.min().map_or(f64::INFINITY, |time| time.as_secs_f64())
    };
    // an instruction forms 32 products of bfloat16, 16 of float32
    2.0 * best(multiply_floats) / best(multiply_bfloats)
}

/// Rounds of sixteen instructions that do not wait for each other: some tenths of a millisecond.
const ROUNDS: usize = 20_000;

#[target_feature(enable = "avx512f")]
fn multiply_floats() {
    let (mut sums, one) = ([_mm512_setzero_ps(); 16], black_box(_mm512_set1_ps(1.0)));
    for _ in 0..ROUNDS {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(one, one, *sum);
        }
    }
    black_box(sums);
}

#[target_feature(enable = "avx512f,avx512bf16")]
fn multiply_bfloats() {
    // SAFETY: pairs of bfloat16 are 32 bits like any other.
    let ones: __m512bh =
        unsafe { transmute::<__m512i, __m512bh>(black_box(_mm512_set1_epi32(0x3f80_3f80))) };
    let mut sums = [_mm512_setzero_ps(); 16];
    for _ in 0..ROUNDS {
        for sum in &mut sums {
            *sum = _mm512_dpbf16_ps(*sum, ones, ones);
        }
    }
    black_box(sums);
}

/// As [`Tiles::block`](crate::block::Tiles::block), of one product for each two numbers.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(crate) fn block(
    (left, right): (&[Line], &[Line]),
    (out, out_row): (&mut [f32], usize),
    (adds, ahead): (bool, *const Line),
) {
    let steps = left.len() / HALF;
    assert!(steps > 0 && left.len() == right.len() && left.len().is_multiple_of(HALF));
    assert!(out.len() >= (BLOCK - 1) * out_row + BLOCK && out_row >= BLOCK);
    for first in (0..BLOCK).step_by(ROWS) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        // SAFETY: the rows lie in `out`, as asserted.
        let place = |out: *mut f32, row: usize, half: usize| unsafe {
            out.add((first + row) * out_row + 16 * half)
        };
        if adds {
            for (row, sums) in sums.iter_mut().enumerate() {
                for (half, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: as above.
                    *sum = unsafe { _mm512_loadu_ps(place(out.as_mut_ptr(), row, half)) };
                }
            }
        }
        let lines = left
            .as_chunks::<HALF>()
            .0
            .iter()
            .zip(right.as_chunks::<HALF>().0);
        for (step, (left, right)) in lines.enumerate() {
            // what is only brought near need not be there; each quarter of the rows brings a quarter of it
            let near = ahead.wrapping_add(HALF / 8 * step + first / ROWS);
            _mm_prefetch::<_MM_HINT_T1>(near.cast());
            let left: &[Line; ROWS] = left[first..].first_chunk().expect("a step has 32 rows");
            for (pair, columns) in right.as_chunks::<2>().0.iter().enumerate() {
                // SAFETY: lines are 64 bytes, and aligned to it; pairs of bfloat16 are 32 bits like any other.
                let columns = [0, 1].map(|half: usize| unsafe {
                    transmute::<__m512i, __m512bh>(_mm512_load_si512(
                        (&raw const columns[half]).cast(),
                    ))
                });
                for (sums, row) in sums.iter_mut().zip(left) {
                    // SAFETY: as above.
                    let row = unsafe {
                        transmute::<__m512i, __m512bh>(_mm512_set1_epi32(row.0[pair].cast_signed()))
                    };
                    sums[0] = _mm512_dpbf16_ps(sums[0], row, columns[0]);
                    sums[1] = _mm512_dpbf16_ps(sums[1], row, columns[1]);
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (half, sum) in sums.into_iter().enumerate() {
                // SAFETY: as above.
                unsafe { _mm512_storeu_ps(place(out.as_mut_ptr(), row, half), sum) };
            }
        }
    }
}
