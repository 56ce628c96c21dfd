//! The bytes of an ONNX model come in; which files its weights lie in, and the model with a value within its graph as
//! one more output, or with other weights, go out.

mod exposed;
pub(crate) mod external;
mod protobuf;
mod retrained;
mod weights;

pub(super) use exposed::exposed;
pub use retrained::retrained_model;
pub use weights::{Folded, Retrained};
