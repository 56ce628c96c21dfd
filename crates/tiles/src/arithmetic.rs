//! How products are computed, and what of the processor computes them.

use crate::block::{self, HALF, Line, STEP, Tiles};
use crate::vectors;

/// How products are computed; sums are float32 in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// Numbers as sums of two bfloat16, as good as float32: on matrix tiles (Intel AMX).
    Float32,
    /// Each number as the bfloat16 next to it: on matrix tiles, or by the vector instructions for it (AVX512_BF16).
    Bfloat16,
}

/// What computes products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Matrix tiles (Intel AMX).
    Tiles,
    /// Vector instructions for bfloat16 (AVX512_BF16).
    Vectors,
}

impl Arithmetic {
    /// What computes such products on this processor; none where it cannot be done.
    pub fn means(self) -> Option<Means> {
        match self {
            _ if block::available() => Some(Means::Tiles),
            Self::Bfloat16 if block::has_vectors() && vectors::available() => Some(Means::Vectors),
            _ => None,
        }
    }

    /// Lines of a step, on either side.
    pub(crate) fn step(self) -> usize {
        match self {
            Self::Float32 => STEP,
            Self::Bfloat16 => HALF,
        }
    }
}

/// What computes the blocks of one thread.
pub(crate) enum Unit {
    /// Three products of halves.
    Split(Tiles),
    /// One product, on tiles.
    Rounded(Tiles),
    /// One product, by vectors.
    Vectors,
}

impl Unit {
    /// # Panics
    /// Where this processor has no means for it.
    pub(crate) fn new(arithmetic: Arithmetic) -> Self {
        match (arithmetic, arithmetic.means()) {
            (Arithmetic::Float32, _) => Self::Split(Tiles::new()),
            (Arithmetic::Bfloat16, Some(Means::Tiles)) => Self::Rounded(Tiles::new()),
            (Arithmetic::Bfloat16, Some(Means::Vectors)) => Self::Vectors,
            (Arithmetic::Bfloat16, None) => panic!("the caller has asked"),
        }
    }

    /// As [`Tiles::block`].
    #[inline]
    pub(crate) fn block(
        &self,
        sides: (&[Line], &[Line]),
        out: (&mut [f32], usize),
        how: (bool, *const Line),
    ) {
        match self {
            Self::Split(tiles) => tiles.block(sides, out, how),
            Self::Rounded(tiles) => tiles.rounded_block(sides, out, how),
            // SAFETY: `new` has asked for the instructions.
            Self::Vectors => unsafe { vectors::block(sides, out, how) },
        }
    }
}
