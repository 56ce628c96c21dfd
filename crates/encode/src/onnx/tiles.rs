//! The crate `tiles`, where it is built in (feature `tiles`) and the processor is of the kind that may have them; else
//! nothing runs on them.

#[cfg(all(feature = "tiles", target_arch = "x86_64"))]
mod products {
    pub use mmfnd_tiles::available;
    pub(crate) use mmfnd_tiles::{Rewritten, has_products};
}

#[cfg(not(all(feature = "tiles", target_arch = "x86_64")))]
mod products {
    use ort::operator::OperatorDomain;

    /// Whether float32 products can run on this processor's matrix tiles: this program cannot do it.
    pub fn available() -> bool {
        false
    }

    pub(crate) fn has_products(_: &[u8]) -> bool {
        false
    }

    /// There is none.
    pub(crate) enum Rewritten {}

    impl Rewritten {
        pub(crate) fn of(_: &[u8]) -> Option<Self> {
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

pub use products::available;
pub(super) use products::{Rewritten, has_products};
