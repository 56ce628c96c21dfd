//! Pillow's resampling (`Resample.c`, 8 bits per channel), to the last bit: the kernels, their fixed point, the order
//! of the passes.
//!
//! Between the passes values are rounded and clipped to 8 bits, so the order shows where bicubic overshoots. Pillow
//! went over the rows first until version 13, which begins with the columns where that saves much. Ready-made resizers
//! have other orders, or narrower coefficients.

use std::ops::Range;

use crate::preprocessing::Filter;
use crate::rgb::Rgb;

/// Bits behind the point of a coefficient.
const PRECISION: u32 = 22;

/// One axis of a resize: from how many pixels to how many, of which some are kept.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Pixels of the picture.
    pub from: u32,
    /// Pixels of the resized picture.
    pub to: u32,
    /// Those of the resized picture that are computed.
    pub kept: Range<u32>,
}

impl Axis {
    /// Pixels that a resize takes away.
    fn shrinks_by(&self) -> i64 {
        i64::from(self.from) - i64::from(self.to)
    }
}

/// Whether Pillow 13 begins with the columns.
fn columns_first(across: &Axis, down: &Axis) -> bool {
    let saved = down.shrinks_by();
    across.shrinks_by() != 0 && saved > 0 && saved > 2 * across.shrinks_by()
}

/// Resizes and crops.  `[H * W * 3]`
pub fn resample(picture: &Rgb, filter: Filter, across: &Axis, down: &Axis) -> Vec<u8> {
    let columns = Taps::new(across, filter);
    let rows = Taps::new(down, filter);
    let (wide, high) = (columns.reach(), rows.reach());
    let source = Plane {
        data: &picture.data,
        width: picture.width as usize,
    };
    if columns_first(across, down) {
        let low = rows.down(source, wide.clone());
        let low = Plane {
            data: &low,
            width: wide.len(),
        };
        columns.across(low, wide.start, 0..rows.len())
    } else {
        let narrow = columns.across(source, 0, high.clone());
        let narrow = Plane {
            data: &narrow,
            width: columns.len(),
        };
        rows.shifted(high.start).down(narrow, 0..columns.len())
    }
}

/// Pixels between the passes.
#[derive(Clone, Copy)]
struct Plane<'a> {
    data: &'a [u8],
    width: usize,
}

/// One half, where a sum begins.
const HALF: i32 = 1 << (PRECISION - 1);

fn rounded(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// For each pixel that is made: where its sources begin, and their weights.
struct Taps {
    firsts: Vec<usize>,
    /// Where each pixel's weights end.
    ends: Vec<usize>,
    weights: Vec<i32>,
}

impl Taps {
    fn new(axis: &Axis, filter: Filter) -> Self {
        let mut taps = Self {
            firsts: Vec::new(),
            ends: Vec::new(),
            weights: Vec::new(),
        };
        for pixel in axis.kept.clone() {
            match axis.from == axis.to {
                // Pillow leaves out a pass that changes nothing.
                true => taps.push(pixel as usize, &[1.0]),
                false => taps.add(axis, filter, pixel),
            }
        }
        taps
    }

    /// `precompute_coeffs`, in the same order of the same operations.
    fn add(&mut self, axis: &Axis, filter: Filter, pixel: u32) {
        let scale = f64::from(axis.from) / f64::from(axis.to);
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let shrink = 1.0 / stretch;
        let centre = (f64::from(pixel) + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(axis.from as usize);
        let weight = |x: usize| filter.weight((x as f64 - centre + 0.5) * shrink);
        let mut weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        if sum != 0.0 {
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        self.push(first, &weights);
    }

    fn push(&mut self, first: usize, weights: &[f64]) {
        let fixed = |weight: &f64| {
            let scaled = weight * f64::from(1 << PRECISION);
            (if scaled < 0.0 {
                scaled - 0.5
            } else {
                scaled + 0.5
            }) as i32
        };
        self.weights.extend(weights.iter().map(fixed));
        self.firsts.push(first);
        self.ends.push(self.weights.len());
    }

    fn len(&self) -> usize {
        self.firsts.len()
    }

    fn at(&self, number: usize) -> (usize, &[i32]) {
        let start = match number {
            0 => 0,
            _ => self.ends[number - 1],
        };
        (self.firsts[number], &self.weights[start..self.ends[number]])
    }

    /// The sources that are used at all.
    fn reach(&self) -> Range<usize> {
        let ends = (0..self.len()).map(|number| {
            let (first, weights) = self.at(number);
            first + weights.len()
        });
        let first = self.firsts.iter().min().copied().unwrap_or(0);
        first..ends.max().unwrap_or(0)
    }

    /// The same for a source whose first `offset` pixels were left out.
    fn shifted(mut self, offset: usize) -> Self {
        self.firsts.iter_mut().for_each(|first| *first -= offset);
        self
    }

    /// Resamples the given rows, of which the first `offset` pixels were left out.
    fn across(&self, source: Plane<'_>, offset: usize, rows: Range<usize>) -> Vec<u8> {
        let stride = 3 * source.width;
        let mut out = vec![0; 3 * self.len() * rows.len()];
        let lines = source.data[rows.start * stride..].chunks_exact(stride);
        for (line, out) in lines.zip(out.chunks_exact_mut(3 * self.len())) {
            for (number, out) in out.chunks_exact_mut(3).enumerate() {
                let (first, weights) = self.at(number);
                let mut sums = [HALF; 3];
                let pixels = line[3 * (first - offset)..].chunks_exact(3);
                for (pixel, weight) in pixels.zip(weights) {
                    sums[0] += i32::from(pixel[0]) * weight;
                    sums[1] += i32::from(pixel[1]) * weight;
                    sums[2] += i32::from(pixel[2]) * weight;
                }
                out.copy_from_slice(&sums.map(rounded));
            }
        }
        out
    }

    /// Resamples the given columns.
    fn down(&self, source: Plane<'_>, columns: Range<usize>) -> Vec<u8> {
        let width = 3 * columns.len();
        let mut out = vec![0; width * self.len()];
        let mut sums = vec![0; width];
        for (number, out) in out.chunks_exact_mut(width).enumerate() {
            let (first, weights) = self.at(number);
            sums.fill(HALF);
            for (line, weight) in (first..).zip(weights) {
                let start = 3 * (line * source.width + columns.start);
                let line = &source.data[start..start + width];
                for (sum, value) in sums.iter_mut().zip(line) {
                    *sum += i32::from(*value) * weight;
                }
            }
            for (out, sum) in out.iter_mut().zip(&sums) {
                *out = rounded(*sum);
            }
        }
        out
    }
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Self::Bicubic => 2.0,
            Self::Bilinear => 1.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        /// Pillow's cubic; OpenCV and PyTorch have -0.75.
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::Bilinear if x < 1.0 => 1.0 - x,
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_with_a_triangle_weighs_four_pixels() {
        let picture = Rgb {
            width: 4,
            height: 1,
            data: [0, 8, 80, 255]
                .iter()
                .flat_map(|value| [*value; 3])
                .collect(),
        };
        let whole = |from, to| Axis {
            from,
            to,
            kept: 0..to,
        };
        // At the left edge the weights 1, 3, 3, 1 lose their first one: (3·0 + 3·8 + 1·80) / 7.
        let found = resample(&picture, Filter::Bilinear, &whole(4, 2), &whole(1, 1));
        assert_eq!(found, [15, 15, 15, 145, 145, 145]);
    }

    #[test]
    fn columns_come_first_where_twice_as_many_rows_as_columns_go() {
        let axis = |from, to| Axis {
            from,
            to,
            kept: 0..to,
        };
        let order = |across, down| columns_first(&across, &down);
        assert!(!order(axis(100, 50), axis(150, 50)));
        assert!(order(axis(100, 50), axis(151, 50)));
        assert!(order(axis(200, 224), axis(225, 224)));
        assert!(!order(axis(200, 224), axis(220, 224)));
        assert!(!order(axis(224, 224), axis(900, 224)));
    }

    #[test]
    fn a_size_that_stays_is_only_cropped() {
        let picture = Rgb {
            width: 2,
            height: 2,
            data: (0..12).collect(),
        };
        let axis = |kept| Axis {
            from: 2,
            to: 2,
            kept,
        };
        let found = resample(&picture, Filter::Bicubic, &axis(1..2), &axis(0..2));
        assert_eq!(found, [3, 4, 5, 9, 10, 11]);
    }
}
