//! An ONNX model: its large products are taken out, and in what is left none is found again. Tried only on processors with matrix tiles.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mmfnd_encode::without_products;

fuzz_target!(|data: &[u8]| {
    if let Some(rest) = without_products(data) {
        assert_eq!(without_products(&rest), None);
    }
});
