//! Tests of the whole of stage 1, with encoders that need no weights.

pub(crate) mod fakes;
mod files;
mod kill;
mod pipeline;
mod presets;
mod rejects;
mod resume;
mod words;
