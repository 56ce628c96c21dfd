//! ONNX models whose large products with fixed weights run on the processor's matrix tiles (Intel AMX), or in bfloat16
//! by its vectors (AVX512_BF16): a model's bytes come in, a model without its linear maps and convolutions and the
//! operators that compute them go out. ONNX Runtime runs it; `block` has the arithmetic.
//!
//! Nothing here knows this program: what comes in are the bytes of any ONNX model. On other processors than x86-64 the
//! crate is empty, on those without the means for it [`Arithmetic::means`] says so.
//!
//! ```
//! # #[cfg(target_arch = "x86_64")]
//! assert!(!mmfnd_tiles::has_products(b"no model"));
//! ```
#![cfg(target_arch = "x86_64")]

mod arithmetic;
mod block;
mod convolution;
mod linear;
mod model;
mod operators;
mod planes;
mod product;
mod protobuf;
mod split;
mod vectors;

use ort::operator::OperatorDomain;

pub use arithmetic::{Arithmetic, Means};
pub use model::has_products;
pub use vectors::rate as bfloat16_rate;

/// An ONNX model whose products were taken out, and from which as many sessions as wanted can be made.
pub struct Rewritten(model::Rewritten);

impl Rewritten {
    /// Takes the products out of an ONNX model; `None` where there are none, or where it is no such model (whoever
    /// opens it then says what is wrong with it).
    ///
    /// # Panics
    /// Where this processor has no [means](Arithmetic::means) for that arithmetic.
    pub fn of(model: &[u8], arithmetic: Arithmetic) -> Option<Self> {
        assert!(arithmetic.means().is_some(), "the caller has asked");
        model::rewrite(model, arithmetic).map(Self)
    }

    /// The model without its products.
    pub fn model(&self) -> &[u8] {
        &self.0.model
    }

    /// The operators for one session, which compute each product by as many threads; weights are shared with those of
    /// other sessions.
    ///
    /// The session must be run by one thread at a time: the binding hands out each operator's state as `&mut`.
    pub fn operators(&self, threads: usize) -> ort::Result<OperatorDomain> {
        operators::domain(&self.0.products, threads)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
