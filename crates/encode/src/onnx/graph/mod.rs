//! The bytes of an ONNX model come in; which files its weights lie in, and the model with a value within its graph as
//! one more output, go out.

mod exposed;
pub(crate) mod external;
mod protobuf;

pub(super) use exposed::exposed;
