//! Posts whose file changes while they are encoded.

use std::path::Path;

use mmfnd_features::{Features, Key, Store};
use mmfnd_posts::{Post, PostSource, write_posts};
use tempfile::tempdir;

use super::fakes::{ALL, Fakes, picture, post};
use crate::{Error, Options, encode_with};

/// Encodes a file of posts that has become another when the first texts are encoded.
fn encode_while_it_becomes(
    file: &Path,
    (posts, becomes): (&[Post], &[Post]),
    store: &Path,
) -> Result<(), Error> {
    write_posts(file, posts).unwrap();
    let on_progress = |progress: &crate::Progress<'_>| {
        if progress.stage == "bert" {
            write_posts(file, becomes).unwrap();
        }
    };
    let source = PostSource::File(file);
    let options = Options::default();
    encode_with(source, &Fakes::new(), store, &options, &on_progress).map(drop)
}

#[test]
fn posts_of_equal_text_that_change_places_do_not_get_each_others_pictures() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("posts.parquet");
    let pictures = [picture(folder.path(), 1), picture(folder.path(), 2)];
    let posts = [
        post("1", "the same words", &[&pictures[0]]),
        post("2", "the same words", &[&pictures[1]]),
    ];
    let swapped = [posts[1].clone(), posts[0].clone()];
    let store = folder.path().join("store");
    let error = encode_while_it_becomes(&file, (&posts, &swapped), &store).unwrap_err();
    let expected = "post `2` changed in its file while the posts were being encoded";
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(
        Store::open(&store).unwrap().inspect().unwrap().posts,
        0,
        "nothing is linked"
    );

    encode_while_it_becomes(&file, (&posts, &posts), &store).unwrap();
    let features = Features::load(&Store::open(&store).unwrap(), &posts, &ALL).unwrap();
    let keys = pictures.map(|path| Some(Key::of(&std::fs::read(path).unwrap())));
    assert_eq!(features.image_key, keys);
}

#[test]
fn posts_that_are_added_or_taken_away_meanwhile_end_the_run() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("posts.parquet");
    let all = ["1", "2", "3"].map(|id| post(id, "words", &[]));
    for (number, (posts, becomes)) in [(&all[..2], &all[..]), (&all[..], &all[..2])]
        .into_iter()
        .enumerate()
    {
        let store = folder.path().join(number.to_string());
        let error = encode_while_it_becomes(&file, (posts, becomes), &store).unwrap_err();
        assert!(matches!(error, Error::PostsChanged { .. }), "{error}");
    }
}
