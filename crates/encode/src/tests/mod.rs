//! Tests of the whole of stage 1, with encoders that need no weights.

mod changed_posts;
mod fake_encoder;
pub(crate) mod fakes;
mod files;
mod kill;
mod long_texts;
mod maps;
mod models;
mod pipeline;
mod rejects;
mod resume;
#[cfg(all(feature = "tiles", target_arch = "x86_64"))]
mod tiles;
mod token_states;
mod words;
