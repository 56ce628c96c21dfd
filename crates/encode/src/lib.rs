//! Stage 1: posts through frozen encoders (ONNX Runtime) into the feature store.
//!
//! [`encode`] hashes what the posts contain, finds out what the store lacks, and runs only that through the encoders of
//! a [`Preset`]: each distinct text and each distinct picture once per encoder. Reading, decoding and tokenising happen
//! on worker threads, inference on one thread per core, writing on another; all that is between them is bounded.
//! A killed run continues where it was, with the same batches and therefore the same values.
//!
//! ```
//! let demo = mmfnd_encode::Preset::find("demo").expect("it is part of the repository");
//! assert!(demo.encoders.iter().any(|encoder| encoder.name == "bert"));
//! ```

pub mod bare;
mod batches;
mod concurrent;
pub mod cuda;
pub mod doctor;
mod encode;
mod encoder;
mod error;
mod fetch;
mod from_preset;
mod ocr;
mod parts;
mod pictures;
mod preset;
#[cfg_attr(not(target_arch = "x86_64"), path = "no_products.rs")]
mod products;
mod progress;
mod run;
mod runners;
mod runtime;
mod sample;
mod scan;
mod session;
mod spool;
mod stage;
mod summary;
mod text;
mod texts;

pub use encode::{Encoders, Options, encode, encode_with};
pub use encoder::{Encoder, FakeEncoder, Handle, Handles};
pub use error::Error;
pub use fetch::{CUDA_VERSION, cache_dir};
pub use from_preset::FromPreset;
#[doc(hidden)]
pub use ocr::fuzzing;
pub use ocr::{
    OcrError, OcrOptions, OcrReject, OcrSummary, check_ocr, ocr_install_line, read_pictures,
};
pub use preset::{EXPORTED, EncoderPreset, Preset, available};
pub use products::available as has_tiles;
#[doc(hidden)]
pub use products::without_products;
pub use progress::{Progress, Times};
pub use runtime::{Origin, Runtime};
pub use sample::{Limit, Sample, Sampled, check_sample, check_sample_with};
pub use session::Device;
pub use summary::{EncoderSummary, Summary};
pub use text::{Length, Tokens};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
