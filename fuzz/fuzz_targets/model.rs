//! An ONNX model: its large products are taken out, and what is left is read again. Tried only on processors with matrix
//! tiles.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mmfnd_tiles::{Rewritten, available};

fuzz_target!(|data: &[u8]| {
    if !available() {
        return;
    }
    if let Some(rest) = Rewritten::of(data) {
        // A sum that is not what it seems may hide one the first time.
        Rewritten::of(rest.model());
    }
});
