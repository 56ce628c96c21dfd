//! Tesseract's table of words (first byte `w`) and the file that keeps what was read (`c`).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mmfnd_encode::fuzzing;
use mmfnd_fuzz::{selected, write};

fuzz_target!(|data: &[u8]| {
    match selected(data) {
        (b'w', table) => {
            if let Some(text) = fuzzing::text_of_words(&String::from_utf8_lossy(table)) {
                assert!(!text.contains('\n') && text.trim() == text);
            }
        }
        (b'c', lines) => {
            let file = write("ocr.jsonl", lines);
            if let Ok(entries) = fuzzing::ocr_cache(&file, "r") {
                // The torn end was cut away, so that it reads the same again.
                assert_eq!(fuzzing::ocr_cache(&file, "r").ok(), Some(entries));
            }
        }
        _ => {}
    }
});
