//! A manifest as CSV, TSV or JSON lines (first byte `c`, `t`, `j`): every row is a post or a reject.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mmfnd_fuzz::{selected, write};
use mmfnd_posts::import::{MissingImage, Options, manifest};

fuzz_target!(|data: &[u8]| {
    let (kind, text) = selected(data);
    let file = match kind {
        b'c' => write("m.csv", text),
        b't' => write("m.tsv", text),
        b'j' => write("m.jsonl", text),
        _ => return,
    };
    write("a.png", b"a");
    for missing_image in [MissingImage::Drop, MissingImage::Keep] {
        let options = Options {
            missing_image,
            ..Options::default()
        };
        if let Ok(import) = manifest(&file, &options) {
            let ends = import.posts.len() + import.rejects.len();
            assert_eq!(import.counts.rows, ends);
        }
    }
});
