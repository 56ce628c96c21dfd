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

// From bottom to top: each imports only from those before it.
mod cache_dir;
mod versions;

mod error;

mod fault;

mod encoder;
mod options;
mod preset;
mod progress;

mod onnx;
mod plan;
mod workers;

mod contents;

mod stage;

mod run;

pub mod doctor;
mod ocr;

pub use cache_dir::cache_dir;
pub use encoder::{Encoded, Encoder, Encoders, Handle, Handles, Length, Tokens};
pub use error::Error;
#[doc(hidden)]
pub use ocr::fuzzing;
pub use ocr::{
    OcrError, OcrOptions, OcrReject, OcrSummary, check_ocr, ocr_install_line, read_pictures,
};
pub use onnx::{
    Folded, FromPreset, Origin, Retrained, Runtime, bfloat16, has_tiles, in_bfloat16, nvidia,
    retrained_model,
};
pub use options::{Device, Options};
pub use plan::Budget;
pub use preset::{EXPORTED, EncoderPreset, MAPS, Preset, TOKENS, available, retrained_preset};
pub use progress::{Maps, Progress, Times, TokenStates};
pub use run::{Limit, Sample, Sampled, check_sample, check_sample_with, encode, encode_with};
pub use stage::{EncoderSummary, Summary};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
