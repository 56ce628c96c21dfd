//! Weibo's four files of records, zero bytes between them: every row is a post or a reject.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mmfnd_fuzz::{pieces, scratch, write};
use mmfnd_posts::import::{MissingImage, Options, weibo};

fuzz_target!(|data: &[u8]| {
    let mut files = pieces(data);
    for name in [
        "train_rumor",
        "train_nonrumor",
        "test_rumor",
        "test_nonrumor",
    ] {
        // An absent file is refused before the others are read.
        let text = files.next().filter(|text| !text.is_empty()).unwrap_or(b"x");
        write(&format!("weibo/tweets/{name}.txt"), text);
    }
    write("weibo/rumor_images/a.jpg", b"a");
    let options = Options {
        missing_image: MissingImage::Keep,
        ..Options::default()
    };
    if let Ok(import) = weibo(&scratch().join("weibo"), &options) {
        let ends = import.posts.len() + import.rejects.len();
        assert_eq!(import.counts.rows, ends);
    }
});
