//! Tests of the whole of stage 1, with encoders that need no weights.

mod fakes;
mod files;
mod golden;
mod kill;
mod pipeline;
mod presets;
mod refusals;
mod resume;
mod words;
