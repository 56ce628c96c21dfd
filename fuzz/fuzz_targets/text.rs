//! Any text through the demo's tokenizers: never more tokens than asked for, and as many as it is sorted by.
#![no_main]

use std::cell::OnceCell;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use mmfnd_encode::{Preset, Tokens};

thread_local! {
    static TOKENS: OnceCell<Vec<(Tokens, usize)>> = const { OnceCell::new() };
}

fn read() -> Vec<(Tokens, usize)> {
    let presets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/presets");
    let preset = Preset::read(&presets.join("demo.toml")).expect("it is part of the repository");
    let texts = preset.encoders.iter().filter_map(|encoder| {
        let (file, longest) = (encoder.tokenizer.as_ref()?, encoder.max_length?);
        let bytes = std::fs::read(file).expect("it is part of the repository");
        let given = (file.as_path(), bytes.as_slice());
        let tokens = Tokens::read(&encoder.name, given, longest).expect("it can be read");
        Some((tokens, longest))
    });
    texts.collect()
}

fuzz_target!(|text: &str| {
    TOKENS.with(|tokens| {
        for (tokens, longest) in tokens.get_or_init(read) {
            let ids = tokens.ids(text).expect("every text has tokens");
            let length = tokens.length(text).expect("every text has a length");
            assert!(ids.len() == length.tokens as usize && ids.len() <= *longest);
        }
    });
});
