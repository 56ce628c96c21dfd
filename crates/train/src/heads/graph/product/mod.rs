//! Matrix products on slices.

#[cfg(target_arch = "x86_64")]
mod few_rows;

use std::mem::MaybeUninit;

use gemm::{Parallelism, gemm};

/// Multiplications above which a single product is shared among threads, about a quarter of a millisecond on one.
const SHARED: usize = 1 << 24;

/// A matrix in a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    /// From one row to the next, from one column to the next.
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// Row by row.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns);
        Self {
            values,
            rows,
            columns,
            strides: [columns, 1],
        }
    }

    /// A row for each window of so many rows of that width: what it has in common with the next is not there twice.
    pub fn windows(values: &'a [f32], width: usize, window: usize) -> Self {
        Self {
            values,
            rows: (values.len() / width + 1).saturating_sub(window),
            columns: window * width,
            strides: [width, 1],
        }
    }

    /// How many it has.
    pub fn rows(self) -> usize {
        self.rows
    }

    /// Its first rows, of one that lies row by row.
    pub fn first_rows(self, rows: usize) -> Self {
        Self::new(&self.values[..rows * self.columns], rows, self.columns)
    }

    /// So many of its rows, and so many more, of one that lies row by row.
    pub fn row_blocks(self, rows: usize) -> impl Iterator<Item = Self> {
        let parts = self.values.chunks_exact(rows * self.columns);
        parts.map(move |part| Self::new(part, rows, self.columns))
    }

    /// As they lie in memory.
    pub fn values(self) -> &'a [f32] {
        self.values
    }

    /// The transpose.
    pub fn t(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            strides: [self.strides[1], self.strides[0]],
            ..self
        }
    }
}

/// `target = a·b`; all of `target` is written.
pub(super) fn product<'a>(
    target: &'a mut [MaybeUninit<f32>],
    a: Matrix,
    b: Matrix,
) -> &'a mut [f32] {
    multiply(target.as_mut_ptr().cast(), target.len(), false, (a, b));
    // SAFETY: the product has as many values as the target, which `multiply` asserts.
    unsafe { target.assume_init_mut() }
}

/// `target = a·b`, whatever it was.
pub(super) fn product_over(target: &mut [f32], a: Matrix, b: Matrix) {
    multiply(target.as_mut_ptr(), target.len(), false, (a, b));
}

/// `target += a·b`
pub(super) fn add_product(target: &mut [f32], a: Matrix, b: Matrix) {
    multiply(target.as_mut_ptr(), target.len(), true, (a, b));
}

fn multiply(target: *mut f32, length: usize, adds: bool, (a, b): (Matrix, Matrix)) {
    assert_eq!(a.columns, b.rows);
    assert_eq!(length, a.rows * b.columns);
    #[cfg(target_arch = "x86_64")]
    if few_rows::is_one(a, b) {
        // SAFETY: the target's length is the product's, and only the caller has it.
        unsafe { few_rows::multiply(target, adds, (a, b)) };
        return;
    }
    let stride = |matrix: Matrix, axis: usize| matrix.strides[axis] as isize;
    let parallelism = match a.rows * a.columns * b.columns {
        few if few < SHARED => Parallelism::None,
        _ => Parallelism::Rayon(0),
    };
    // SAFETY: `Matrix::new`, `Matrix::windows` and the assertions above hold every index that sizes and strides can
    // make inside the slices; nobody else has `target`.
    unsafe {
        gemm(
            a.rows,
            b.columns,
            a.columns,
            target,
            1,
            b.columns as isize,
            adds,
            a.values.as_ptr(),
            stride(a, 1),
            stride(a, 0),
            b.values.as_ptr(),
            stride(b, 1),
            stride(b, 0),
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Room for values that are all going to be written: setting them to zero first would cost as much as a small product.
pub(super) fn room(length: usize) -> Vec<MaybeUninit<f32>> {
    vec![MaybeUninit::uninit(); length]
}

/// Values of a [`room`].
///
/// # Safety
/// All of it has to be written.
pub(super) unsafe fn written(room: Vec<MaybeUninit<f32>>) -> Vec<f32> {
    let mut room = std::mem::ManuallyDrop::new(room);
    // SAFETY: the same allocation with the same layout; the caller says that it is written.
    unsafe { Vec::from_raw_parts(room.as_mut_ptr().cast(), room.len(), room.capacity()) }
}

/// `a·b`
pub(super) fn product_of(a: Matrix, b: Matrix) -> Vec<f32> {
    let mut values = room(a.rows * b.columns);
    product(&mut values, a, b);
    // SAFETY: `product` writes all of its target.
    unsafe { written(values) }
}

/// Adds the rows of `x` to `target`.
pub(super) fn add_rows(target: &mut [f32], x: &[f32]) {
    for row in x.chunks_exact(target.len()) {
        for (target, value) in target.iter_mut().zip(row) {
            *target += value;
        }
    }
}

/// The sum of the rows.
pub(super) fn sum_of_rows(x: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    add_rows(&mut sum, x);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_transposes_are_those_of_paper_and_pencil() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, -1.0]);
        let mut y = product_of(Matrix::new(&a, 2, 3), Matrix::new(&b, 3, 1));
        assert_eq!(y, [-2.0, -2.0]);
        add_product(&mut y, Matrix::new(&a, 3, 2).t(), Matrix::new(&b, 3, 1));
        assert_eq!(y, [-6.0, -6.0]);
        assert_eq!(sum_of_rows(&a, 3), [5.0, 7.0, 9.0]);
    }

    #[test]
    fn products_of_few_rows_are_those_of_many() {
        let numbers =
            |count: usize| -> Vec<f32> { (0..count).map(|i| (0.3 * i as f32).sin()).collect() };
        let (inner, columns) = (333, 259); // neither fills its last block
        for rows in [64, 100, 130] {
            let (a, b) = (numbers(rows * inner), numbers(inner * columns));
            let (a, b) = (
                Matrix::new(&a, rows, inner),
                Matrix::new(&b, inner, columns),
            );
            let b_turned: Vec<_> = (0..inner * columns)
                .map(|i| b.values[i % inner * columns + i / inner])
                .collect();
            let b_turned = Matrix::new(&b_turned, columns, inner).t();
            let one_by_one = |row: usize, column: usize| -> f64 {
                let of_row = &a.values[row * inner..][..inner];
                let of_column = b.values[column..].iter().step_by(columns);
                let pairs = of_row.iter().zip(of_column);
                pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            for b in [b, b_turned] {
                let mut found = product_of(a, b);
                add_product(&mut found, a, b);
                for (i, found) in found.iter().enumerate() {
                    let expected = 2.0 * one_by_one(i / columns, i % columns);
                    assert!(
                        (f64::from(*found) - expected).abs() < 1e-3,
                        "{i}: {found} {expected}"
                    );
                }
            }
        }
    }
}
