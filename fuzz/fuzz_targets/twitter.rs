//! MediaEval's two tables, a zero byte between them: every row is a post or a reject.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mmfnd_fuzz::{pieces, scratch, write};
use mmfnd_posts::import::{MissingImage, Options, twitter};

fuzz_target!(|data: &[u8]| {
    let mut files = pieces(data);
    let names = [
        "twitter/devset/posts.txt",
        "twitter/testset/posts_groundtruth.txt",
    ];
    for name in names {
        write(name, files.next().unwrap_or_default());
    }
    write("twitter/a_fake_1.jpg", b"a");
    write("twitter/b_real_2.txt", b"no picture");
    let options = Options {
        missing_image: MissingImage::Keep,
        ..Options::default()
    };
    if let Ok(import) = twitter(&scratch().join("twitter"), &options) {
        let ends = import.posts.len() + import.rejects.len();
        assert_eq!(import.counts.rows, ends);
    }
});
