//! Integration tests of the binary, one module per subject. They need no Python package, no GPU and no real data; ONNX Runtime is found or fetched as
//! the program itself does it. With the real datasets beside the clone (`../shared/data`) they also run on those, and say so when they do not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod demo;
mod devices;
mod encode;
mod faithful;
mod features;
mod house;
mod import;
mod kill;
mod methods;
mod models;
mod ocr;
mod online;
mod outputs;
mod program;
mod report;
mod shards;
mod sweep;
mod terminal;
mod train;
