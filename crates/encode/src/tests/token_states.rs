//! The states of tokens come from the pass that the layers come from, and are kept, resumed and added like them.

use std::path::Path;
use std::time::Duration;

use mmfnd_features::{EncoderSpec, Features, Store};
use mmfnd_posts::Post;
use tempfile::tempdir;

use super::fakes::{ALL, Fakes, post, rows, run};
use super::resume::posts;
use crate::{Error, FromPreset, Options, Preset, Progress, Sample, TokenStates};
use crate::{check_sample, encode, encode_with};

/// Of each post the states of its tokens.
fn states(store: &Path, posts: &[Post]) -> Vec<Vec<f32>> {
    let store = Store::open(store).unwrap();
    let features = Features::load(&store, posts, &["tokens"]).unwrap();
    let column = &features.columns[0];
    let row = |post: usize| {
        let mut row = vec![0.0; column.width_of(post)];
        assert!(column.copy_row(post, &mut row));
        row
    };
    (0..posts.len()).map(row).collect()
}

#[test]
fn layers_and_tokens_come_from_one_pass_and_layers_are_what_they_are_without() {
    let folder = tempdir().unwrap();
    let posts = posts(folder.path());
    let (without, with) = (folder.path().join("without"), folder.path().join("with"));
    let plain = Fakes::new();
    run(&posts, &plain, &without).unwrap();
    let fakes = Fakes::new().with_token_states(20);
    let summary = run(&posts, &fakes, &with).unwrap();
    assert_eq!(fakes.encoded("bert"), plain.encoded("bert"));
    assert!(rows(&with, &posts, &ALL) == rows(&without, &posts, &ALL));
    let names: Vec<_> = summary
        .encoders
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["bert", "tokens", "clip_text", "clip_image", "resnet"]
    );
    assert_eq!(summary.encoders[0].encoded, summary.encoders[1].encoded);
    assert!(
        summary.encoders[1].truncated > 0,
        "some texts have more than 20 tokens"
    );
    for (post, states) in posts.iter().zip(states(&with, &posts)) {
        let ids = super::fakes::ids(&post.text);
        assert_eq!(states.len(), 3 * ids.len().min(20), "{}", post.text);
        let first = states.chunks_exact(3).map(|state| state[0].round() as u32);
        assert!(first.eq(ids.into_iter().take(20)), "{}", post.text);
    }
}

#[test]
fn a_run_that_continues_ends_with_the_same_states() {
    let folder = tempdir().unwrap();
    let posts = posts(folder.path());
    let whole = folder.path().join("whole");
    let fakes = Fakes::new().with_token_states(20);
    run(&posts, &fakes, &whole).unwrap();
    let batches = fakes.batches.lock().unwrap().len();
    for lives in 0..batches {
        let store = folder.path().join(format!("killed after {lives}"));
        let mut mortal = Fakes::new().with_token_states(20);
        mortal.lives = Some(lives);
        run(&posts, &mortal, &store).unwrap_err();
        run(&posts, &Fakes::new().with_token_states(20), &store).unwrap();
        assert!(
            states(&store, &posts) == states(&whole, &posts),
            "killed after {lives}"
        );
        assert!(rows(&store, &posts, &ALL) == rows(&whole, &posts, &ALL));
    }
}

#[test]
fn tokens_are_added_to_a_store_without_them_and_nothing_else_changes() {
    let folder = tempdir().unwrap();
    let posts = posts(folder.path());
    let (store, whole) = (folder.path().join("store"), folder.path().join("whole"));
    run(&posts, &Fakes::new(), &store).unwrap();
    let before = rows(&store, &posts, &ALL);
    let fakes = Fakes::new().with_token_states(20);
    let summary = run(&posts, &fakes, &store).unwrap();
    let encoded = |name| fakes.encoded(name);
    assert_eq!(
        encoded("clip_text") + encoded("clip_image") + encoded("resnet"),
        0
    );
    assert_eq!(encoded("bert"), summary.encoders[1].encoded);
    assert_eq!(summary.encoders[0].encoded, 0);
    assert!(rows(&store, &posts, &ALL) == before);
    run(&posts, &Fakes::new().with_token_states(20), &whole).unwrap();
    assert!(states(&store, &posts) == states(&whole, &posts));
    // once they are there, nothing is encoded again
    let again = Fakes::new().with_token_states(20);
    run(&posts, &again, &store).unwrap();
    assert_eq!(again.batches.lock().unwrap().len(), 0);
}

#[test]
fn what_the_states_take_is_said_before_the_first_batch() {
    let folder = tempdir().unwrap();
    let posts = [
        post("1", "abc", &[]),
        post("2", "abc", &[]),
        post("3", "abcdefgh", &[]),
    ];
    let fakes = Fakes::new().with_token_states(6);
    let said = std::cell::RefCell::new(Vec::new());
    let on_progress = |progress: &Progress<'_>| {
        if let Some(states) = progress.token_states {
            said.borrow_mut().push((progress.done, states));
        }
    };
    let options = Options {
        write_every: Duration::ZERO,
        ..Options::default()
    };
    let store = folder.path().join("store");
    encode_with(&posts[..], &fakes, &store, &options, &on_progress).unwrap();
    // two distinct texts of 5 and 10 tokens with the special ones, of the second 6 are kept; 3 float32 each
    let expected = TokenStates {
        texts: 2,
        tokens: 11,
        bytes: 132,
    };
    assert_eq!(said.borrow()[0], (0, expected));
}

#[test]
fn the_demos_bert_gives_the_states_of_its_last_layer_with_the_layers() {
    let folder = tempdir().unwrap();
    let posts = [
        post("1", "Two red boats at sea.", &[]),
        post("2", "A tent in the desert at night, they say!", &[]),
    ];
    let preset = Preset::find("demo")
        .unwrap()
        .only(&["bert".into()])
        .unwrap();
    let encode = |name: &str, tokens| {
        let options = Options {
            tokens,
            ..Options::default()
        };
        encode(
            &posts[..],
            &preset,
            &folder.path().join(name),
            &options,
            &|_| {},
        )
        .unwrap();
    };
    encode("store", Some(128));
    let store = folder.path().join("store");
    let features = Features::load(&Store::open(&store).unwrap(), &posts, &["bert"]).unwrap();
    let layers = &features.columns[0];
    for (post, states) in states(&store, &posts).iter().enumerate() {
        let mut row = vec![0.0; layers.width()];
        layers.copy_row(post, &mut row);
        let width = layers.shape[1];
        assert_eq!(states.len() % width, 0);
        assert_eq!(
            states[..width],
            row[row.len() - width..],
            "[CLS] is the first token"
        );
    }
    // without being asked again a store that has them gets those of new posts, and a sample is compared
    let options = Options::default();
    let more = [post("3", "A flag.", &[])];
    crate::encode(&more[..], &preset, &store, &options, &|_| {}).unwrap();
    assert_eq!(states(&store, &more).len(), 1);
    let sample = Sample { rows: 3, seed: 1 };
    let all = [&posts[..], &more[..]].concat();
    let sampled = check_sample(&all, &preset, &store, &options, sample).unwrap();
    let tokens = sampled.iter().find(|one| one.name == "tokens").unwrap();
    assert_eq!((tokens.compared, tokens.problem()), (3, None));
}

#[test]
fn a_preset_that_gives_no_states_is_refused() {
    let folder = tempdir().unwrap();
    let preset = Preset::find("demo").unwrap();
    let preset = preset.only(&["clip_text".into()]).unwrap();
    let options = Options {
        tokens: Some(128),
        ..Options::default()
    };
    let store = folder.path().join("store");
    let error = encode(&[][..], &preset, &store, &options, &|_| {}).unwrap_err();
    assert!(matches!(&error, Error::UnknownEncoder { name, .. } if name == "tokens"));
    let spec: Option<&EncoderSpec> = None;
    let encoders = FromPreset::new(&preset, &store, &options);
    assert_eq!(crate::Encoders::states(&encoders, 0), spec);
}
