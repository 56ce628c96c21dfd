//! `posts.parquet`, and a manifest as Parquet: what was read is read again when it was written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mmfnd_fuzz::{scratch, write};
use mmfnd_posts::import::{MissingImage, Options, manifest};
use mmfnd_posts::{other_columns, read_posts, write_posts};

fuzz_target!(init: mmfnd_fuzz::let_panics_be_caught(), |data: &[u8]| {
    let file = write("posts.parquet", data);
    let _ = other_columns(&file);
    let options = Options {
        missing_image: MissingImage::Keep,
        ..Options::default()
    };
    if let Ok(import) = manifest(&file, &options) {
        let ends = import.posts.len() + import.rejects.len();
        assert_eq!(import.counts.rows, ends);
    }
    if let Ok(posts) = read_posts(&file) {
        let again = scratch().join("again.parquet");
        write_posts(&again, &posts).expect("posts that were read can be written");
        assert!(read_posts(&again).expect("and read") == posts);
    }
});
