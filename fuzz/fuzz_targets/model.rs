//! An ONNX model: its large products are taken out, and what is left is read again. Tried only on processors
//! that can multiply bfloat16.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mmfnd_tiles::{Arithmetic, Rewritten};

fuzz_target!(|data: &[u8]| {
    if Arithmetic::Bfloat16.means().is_none() {
        return;
    }
    if let Some(rest) = Rewritten::of(data, Arithmetic::Bfloat16) {
        // A sum that is not what it seems may hide one the first time.
        Rewritten::of(rest.model(), Arithmetic::Bfloat16);
    }
});
