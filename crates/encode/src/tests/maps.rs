//! Maps come from the pass that the pooled features come from, and are kept, resumed and added like them.

use std::path::Path;

use mmfnd_features::{Features, Store};
use mmfnd_posts::Post;
use tempfile::tempdir;

use super::fakes::{ALL, BACKBONE, Fakes, MAP, rows, run};
use super::resume::posts;
use crate::{Error, Options, Preset, Sample};
use crate::{check_sample, encode, encode_with};

/// Of each post that has a picture its map.
fn maps(store: &Path, posts: &[Post]) -> Vec<Option<Vec<f32>>> {
    let store = Store::open(store).unwrap();
    let features = Features::load(&store, posts, &["resnet_map"]).unwrap();
    let column = &features.columns[0];
    let weights = features.classifiers[0].as_ref().unwrap();
    assert_eq!(std::fs::read(weights).unwrap(), BACKBONE);
    let row = |post: usize| {
        let mut row = vec![0.0; column.width()];
        column.copy_row(post, &mut row).then_some(row)
    };
    (0..posts.len()).map(row).collect()
}

#[test]
fn features_and_maps_come_from_one_pass_and_features_are_what_they_are_without() {
    let folder = tempdir().unwrap();
    let posts = posts(folder.path());
    let (without, with) = (folder.path().join("without"), folder.path().join("with"));
    let plain = Fakes::new();
    run(&posts, &plain, &without).unwrap();
    let fakes = Fakes::new().with_maps();
    let summary = run(&posts, &fakes, &with).unwrap();
    assert_eq!(fakes.encoded("resnet"), plain.encoded("resnet"));
    assert!(rows(&with, &posts, &ALL) == rows(&without, &posts, &ALL));
    let encoded = |name: &str| {
        let mut all = summary.encoders.iter();
        all.find(|one| one.name == name).unwrap().encoded
    };
    assert_eq!(encoded("resnet_map"), encoded("resnet"));
    assert!(encoded("resnet") > 1);
    let features = rows(&with, &posts, &["resnet"]).remove(0);
    let mut distinct = std::collections::HashSet::new();
    for (map, row) in maps(&with, &posts).into_iter().zip(&features) {
        let Some(map) = map else { continue };
        assert_eq!(map.len(), MAP.iter().product::<usize>());
        distinct.insert(format!("{map:?}"));
        // the fakes' maps begin with the first of the features
        assert_eq!(Some(&map[0]), row.first(), "of the same picture");
    }
    assert!(distinct.len() > 50, "{} distinct maps", distinct.len());
}

#[test]
fn a_run_that_continues_ends_with_the_same_maps() {
    let folder = tempdir().unwrap();
    let posts = posts(folder.path());
    let whole = folder.path().join("whole");
    let fakes = Fakes::new().with_maps().with_token_states(20);
    run(&posts, &fakes, &whole).unwrap();
    let batches = fakes.batches.lock().unwrap().len();
    for lives in 0..batches {
        let store = folder.path().join(format!("killed after {lives}"));
        let mut mortal = Fakes::new().with_maps().with_token_states(20);
        mortal.lives = Some(lives);
        run(&posts, &mortal, &store).unwrap_err();
        run(
            &posts,
            &Fakes::new().with_maps().with_token_states(20),
            &store,
        )
        .unwrap();
        assert!(
            maps(&store, &posts) == maps(&whole, &posts),
            "killed after {lives}"
        );
        assert!(rows(&store, &posts, &ALL) == rows(&whole, &posts, &ALL));
    }
}

#[test]
fn maps_are_added_to_a_store_without_them_and_nothing_else_changes() {
    let folder = tempdir().unwrap();
    let posts = posts(folder.path());
    let (store, whole) = (folder.path().join("store"), folder.path().join("whole"));
    run(&posts, &Fakes::new(), &store).unwrap();
    let before = rows(&store, &posts, &ALL);
    let fakes = Fakes::new().with_maps();
    let said = std::cell::RefCell::new(Vec::new());
    let summary = encode_with(
        &posts[..],
        &fakes,
        &store,
        &Options::default(),
        &|progress| {
            if let Some(maps) = progress.maps {
                said.borrow_mut().push((progress.done, maps));
            }
        },
    );
    let summary = summary.unwrap();
    assert_eq!(fakes.encoded("bert") + fakes.encoded("clip_image"), 0);
    let mut encoders = summary.encoders.iter();
    let added = encoders.find(|one| one.name == "resnet_map").unwrap();
    assert_eq!(fakes.encoded("resnet"), added.encoded);
    assert!(rows(&store, &posts, &ALL) == before);
    // what they take is said before the first batch: float32, of 45 first choices and of one that is corrupt
    let (done, maps_said) = said.borrow()[0];
    assert_eq!((done, maps_said.pictures), (0, 46));
    let of_one = 4 * MAP.iter().product::<usize>() as u64;
    assert_eq!(maps_said.bytes, of_one * maps_said.pictures);
    run(&posts, &Fakes::new().with_maps(), &whole).unwrap();
    assert!(maps(&store, &posts) == maps(&whole, &posts));
    let again = Fakes::new().with_maps();
    run(&posts, &again, &store).unwrap();
    assert_eq!(again.batches.lock().unwrap().len(), 0);
}

#[test]
fn the_demos_resnet_gives_its_third_layers_map_with_the_features() {
    let folder = tempdir().unwrap();
    let mut posts = posts(folder.path());
    posts.retain(|post| !post.images.is_empty());
    let preset = Preset::find("demo").unwrap();
    let preset = preset.only(&["resnet".into()]).unwrap();
    let options = Options {
        maps: true,
        ..Options::default()
    };
    let store = folder.path().join("store");
    encode(&posts[..], &preset, &store, &options, &|_| {}).unwrap();
    let opened = Store::open(&store).unwrap();
    let features = Features::load(&opened, &posts, &["resnet_map"]).unwrap();
    assert_eq!(features.columns[0].shape, [64, 4, 4]);
    // without being asked again a store that has maps keeps them, and a sample is compared
    let options = Options::default();
    let sample = Sample { rows: 3, seed: 1 };
    let sampled = check_sample(&posts, &preset, &store, &options, sample).unwrap();
    let maps = sampled.iter().find(|one| one.name == "resnet_map").unwrap();
    assert!(maps.compared > 0);
    assert_eq!(maps.problem(), None);
}

#[test]
fn a_preset_that_gives_no_maps_is_refused() {
    let folder = tempdir().unwrap();
    let preset = Preset::find("demo").unwrap();
    let preset = preset.only(&["clip_image".into()]).unwrap();
    let options = Options {
        maps: true,
        ..Options::default()
    };
    let store = folder.path().join("store");
    let error = encode(&[][..], &preset, &store, &options, &|_| {}).unwrap_err();
    assert!(matches!(&error, Error::UnknownEncoder { name, .. } if name == "resnet_map"));
}
