//! A preset's files: what is refused, by which name, and when.

mod presets;
mod types;
mod weights;
