//! Stage 1: posts through frozen encoders (ONNX Runtime) into the feature store.
