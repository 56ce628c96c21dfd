//! The crate `tiles`, where it is built in (feature `tiles`) and the processor is of the kind that may have them; else
//! nothing is computed by it.

#[cfg(all(feature = "tiles", target_arch = "x86_64"))]
mod products {
    pub(crate) use mmfnd_tiles::{Arithmetic, Means, Rewritten, bfloat16_rate, has_products};
}

#[cfg(not(all(feature = "tiles", target_arch = "x86_64")))]
mod products {
    use ort::operator::OperatorDomain;

    /// How products would be computed.
    #[derive(Clone, Copy)]
    pub(crate) enum Arithmetic {
        Float32,
        Bfloat16,
    }

    /// What would compute them.
    #[derive(Clone, Copy)]
    #[expect(dead_code, reason = "this program has none")]
    pub(crate) enum Means {
        Tiles,
        Vectors,
    }

    impl Arithmetic {
        /// There are none.
        pub(crate) fn means(self) -> Option<Means> {
            match self {
                Self::Float32 | Self::Bfloat16 => None,
            }
        }
    }

    /// Nothing computes them.
    pub(crate) fn bfloat16_rate() -> f64 {
        0.0
    }

    pub(crate) fn has_products(_: &[u8]) -> bool {
        false
    }

    /// There is none.
    pub(crate) enum Rewritten {}

    impl Rewritten {
        pub(crate) fn of(_: &[u8], _: Arithmetic) -> Option<Self> {
            None
        }

        pub(crate) fn model(&self) -> &[u8] {
            match *self {}
        }

        pub(crate) fn operators(&self, _: usize) -> ort::Result<OperatorDomain> {
            match *self {}
        }
    }
}

pub(super) use products::{Arithmetic, Means, Rewritten, bfloat16_rate, has_products};

/// Whether float32 products can run on this processor's matrix tiles (Intel AMX).
pub fn available() -> bool {
    Arithmetic::Float32.means().is_some()
}
