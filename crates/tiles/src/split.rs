//! Numbers as sums of two bfloat16, or as the one next to each: then there are no low halves, and where these would go
//! is empty.

use crate::block::Line;

/// The bfloat16 next to a number, of two equally near ones the even one, in the upper half of a u32.
#[inline(always)]
fn rounded(value: f32) -> u32 {
    let bits = value.to_bits();
    match value.is_nan() {
        // rounded like a number, some become one
        true => 0x7fc0_0000,
        false => (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000,
    }
}

/// High and low half of a number, each in the upper half of a u32.
#[inline(always)]
fn halves(value: f32) -> (u32, u32) {
    let high = rounded(value);
    (high, rounded(value - f32::from_bits(high)))
}

/// High and low halves of 32 numbers that follow one another in a sum.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
pub(crate) fn split(values: &[f32; 32], high: &mut Line, low: Option<&mut Line>) {
    let Some(low) = low else {
        for (i, [first, second]) in values.as_chunks::<2>().0.iter().enumerate() {
            high.0[i] = rounded(*first) >> 16 | rounded(*second);
        }
        return;
    };
    for (i, [first, second]) in values.as_chunks::<2>().0.iter().enumerate() {
        let ((h0, l0), (h1, l1)) = (halves(*first), halves(*second));
        high.0[i] = h0 >> 16 | h1;
        low.0[i] = l0 >> 16 | l1;
    }
}

/// High and low halves of two rows that follow one another in a sum, as pairs: the first in the lower half of a u32.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
pub(crate) fn split_pairs(rows: (&[f32], &[f32]), high: &mut [u32], low: &mut [u32]) {
    let count = high.len();
    let (first, second) = (&rows.0[..count], &rows.1[..count]);
    if low.is_empty() {
        for i in 0..count {
            high[i] = rounded(first[i]) >> 16 | rounded(second[i]);
        }
        return;
    }
    let low = &mut low[..count];
    for i in 0..count {
        let ((h0, l0), (h1, l1)) = (halves(first[i]), halves(second[i]));
        high[i] = h0 >> 16 | h1;
        low[i] = l0 >> 16 | l1;
    }
}

/// As [`split_pairs`], of every second number of the rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
pub(crate) fn split_pairs_by_two(rows: (&[f32], &[f32]), high: &mut [u32], low: &mut [u32]) {
    let count = high.len();
    let last = 2 * count - 1;
    let (first, second) = (&rows.0[..last], &rows.1[..last]);
    if low.is_empty() {
        for i in 0..count {
            high[i] = rounded(first[2 * i]) >> 16 | rounded(second[2 * i]);
        }
        return;
    }
    let low = &mut low[..count];
    for i in 0..count {
        let ((h0, l0), (h1, l1)) = (halves(first[2 * i]), halves(second[2 * i]));
        high[i] = h0 >> 16 | h1;
        low[i] = l0 >> 16 | l1;
    }
}
