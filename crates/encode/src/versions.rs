//! The versions of ONNX Runtime that this program was tested with.

/// The one that is fetched when none is found.
pub const ONNX_RUNTIME: &str = "1.32.0";

/// The one with the CUDA provider: built for CUDA 13 and cuDNN 9.
pub const ONNX_RUNTIME_CUDA: &str = "1.31.1";
