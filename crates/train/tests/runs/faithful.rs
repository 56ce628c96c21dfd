//! Heads that read what their authors read, of a store that has it.

use mmfnd_features::{ColumnValues, Features, Store, Values};
use mmfnd_train::{Config, Device, Model, train};

use crate::setup::{bytes, load, options};
use crate::small_methods::{method, run_and_resume, with_events};
use crate::world::{CLASSES, World, posts};

/// The heads that can, and the encoders that they read then.
const FAITHFUL: [(&str, &[&str]); 3] = [
    ("eann", &["tokens", "vgg"]),
    ("mvae", &["bert", "vgg"]),
    ("mcnn", &["tokens", "resnet", "ela"]),
];

fn config(kind: &str, settings: &[&str]) -> Config {
    let settings = [&["head.inputs=faithful"], settings].concat();
    method(kind).config(&settings).unwrap()
}

#[test]
fn a_faithful_head_resumes_to_the_same_bytes_and_predicts_what_its_run_predicted() {
    let world = World::with_all(with_events(posts(96)));
    for (kind, encoders) in FAITHFUL {
        let summary = run_and_resume(&world, &config(kind, &[]));
        let read: Vec<_> = (summary.info.encoders.iter())
            .map(|spec| spec.name.as_str())
            .collect();
        let mut sorted = [read.clone(), encoders.to_vec()];
        sorted.iter_mut().for_each(|names| names.sort_unstable());
        assert_eq!(sorted[0], sorted[1], "{kind}");
        let sizes = summary.info.sizes;
        let reads = |name| if encoders.contains(&name) { 1 } else { 0 };
        assert_eq!(
            (sizes.vgg, sizes.ela),
            (10 * reads("vgg"), 9 * reads("ela"))
        );
        let classes = if kind == "eann" { CLASSES } else { 0 };
        assert_eq!(sizes.vgg_classes, classes, "{kind}");

        let model = Model::load(&world.path(&format!("whole {kind}")), Device::Flex).unwrap();
        let again = model.predict(&load(&world), &world.posts, &summary.rows);
        for (again, before) in again.unwrap().iter().zip(&summary.predictions) {
            assert_eq!(again.as_ref().unwrap().logits, before.logits, "{kind}");
        }
    }
}

#[test]
fn columns_that_stay_on_the_disk_are_those_in_memory() {
    let world = World::with_all(with_events(posts(96)));
    let store = Store::open(&world.path("store")).unwrap();
    for (kind, encoders) in FAITHFUL {
        let config = config(kind, &["train.epochs=2"]);
        let run = |name: &str, budget| {
            let features = Features::load_within(&store, &world.posts, encoders, budget).unwrap();
            let name = format!("{kind} {name}");
            let options = options(&world.path(&name));
            train(&features, &world.posts, &config, &options, &|_| ()).unwrap();
            bytes(&world, &name, "weights.safetensors")
        };
        assert!(run("memory", u64::MAX) == run("disk", 0), "{kind}");
    }
}

#[test]
fn what_vgg_says_below_zero_counts_as_zero() {
    let world = World::with_all(with_events(posts(96)));
    for kind in ["eann", "mvae"] {
        let weights = |name: &str, least: f32| {
            let mut features = load(&world);
            let of_vgg = features.specs.iter().position(|spec| spec.name == "vgg");
            let column = &mut features.columns[of_vgg.unwrap()];
            let mut values = vec![0.0; column.values.len()];
            let ColumnValues::Memory(stored) = &column.values else {
                panic!("they are in memory");
            };
            stored.copy_to(0, &mut values);
            let values = values.into_iter().map(|value: f32| value.max(least));
            column.values = ColumnValues::Memory(Values::F32(values.collect()));
            let name = format!("{kind} {name}");
            let options = options(&world.path(&name));
            let config = config(kind, &["train.epochs=1"]);
            train(&features, &world.posts, &config, &options, &|_| ()).unwrap();
            bytes(&world, &name, "weights.safetensors")
        };
        let stored = weights("as stored", f32::MIN);
        assert!(stored == weights("from zero", 0.0), "{kind}");
        assert!(stored != weights("from above zero", 0.1), "{kind}");
    }
}

#[test]
fn a_store_without_the_column_or_its_layer_is_refused_before_anything_is_written() {
    let world = World::with_tokens(with_events(posts(64)));
    for (kind, encoders) in FAITHFUL {
        let lacking = *encoders.last().unwrap();
        let config = config(kind, &[]);
        let store = Store::open(&world.path("store")).unwrap();
        let loaded = Features::load(&store, &world.posts, &config.encoders());
        let options = options(&world.path(kind));
        let trained = train(&load(&world), &world.posts, &config, &options, &|_| ());
        for error in [
            loaded.unwrap_err().to_string(),
            trained.unwrap_err().to_string(),
        ] {
            let names_it = error.contains(&format!("`{lacking}`"));
            assert!(names_it && error.contains("--faithful"), "{error}");
        }
        assert!(!world.path(kind).exists());
    }
    let world = World::with_all(with_events(posts(64)));
    let mut features = load(&world);
    features.classifiers.fill(None);
    let options = options(&world.path("run"));
    let error = train(
        &features,
        &world.posts,
        &config("eann", &[]),
        &options,
        &|_| (),
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("`vgg`") && error.contains("`classifier`"),
        "{error}"
    );
}

#[test]
fn resnet_is_not_trained_with_a_head_that_reads_what_its_layer_makes_of_it() {
    let settings = |more: &[&str]| {
        let settings = [&["resnet.unfreeze=layer4"], more].concat();
        method("eann").config(&settings)
    };
    let error = settings(&[]).unwrap_err().to_string();
    assert!(error.contains("`eann`"), "{error}");
    assert!(
        settings(&["head.inputs=faithful"])
            .unwrap()
            .online()
            .is_none()
    );
}
