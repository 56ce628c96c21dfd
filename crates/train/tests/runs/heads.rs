//! Every head can be trained, and reads only what it declares.

use mmfnd_features::{Features, Store};
use mmfnd_train::{Config, Device, Model, RunOptions, train};

use crate::setup::{bytes, load, options, run};
use crate::world::{World, posts, write_store};

#[test]
fn every_head_can_be_trained_and_read_back() {
    let world = World::new(posts(64));
    let heads = [
        "head.variant=released",
        "head.ablation=multimodal-only",
        "head.ablation=text-only",
        "head.ablation=image-only",
        "head.ablation=without-a",
        "head.ablation=without-f",
        "head.ablation=without-c",
        "head.ablation=without-s",
        "head.ablation=without-p",
        "head.pooling=query",
        "head.pooling=last",
        "head.fusion=sum",
        "head.levels=1",
        "head.shared_experts=1",
    ];
    for head in heads {
        let summary = run(&world, head, &[head, "train.epochs=1"]).unwrap();
        let model = Model::load(&world.path(head), Device::Flex).unwrap();
        let row = summary.rows[0];
        let p_fake = model.predict(&load(&world), &world.posts, &[row]).unwrap()[0]
            .as_ref()
            .unwrap()
            .p_fake;
        assert!(p_fake > 0.0 && p_fake < 1.0, "{head}: {p_fake}");
    }
}

#[test]
fn the_baselines_learn_what_can_be_learned_and_resume_to_the_same_bytes() {
    let world = World::new(posts(240));
    for kind in ["head.kind=linear", "head.kind=mlp"] {
        let settings = vec![
            kind.to_owned(),
            "train.epochs=15".into(),
            "train.learning_rate=0.01".into(),
        ];
        let config = Config::read(None, &settings).unwrap();
        let features = load(&world);
        let out = world.path(kind);
        let run = |stop: usize, resume| {
            let options = RunOptions {
                resume,
                ..options(&out)
            };
            std::panic::catch_unwind(|| {
                train(&features, &world.posts, &config, &options, &|report| {
                    assert!(report.epoch <= stop, "killed");
                })
            })
        };
        assert!(run(3, false).is_err());
        let cut = run(15, true).unwrap().unwrap();
        let weights = bytes(&world, kind, "weights.safetensors");
        std::fs::remove_dir_all(&out).unwrap();
        let whole = run(15, false).unwrap().unwrap();
        assert_eq!(
            weights,
            bytes(&world, kind, "weights.safetensors"),
            "{kind}"
        );
        assert_eq!(cut.metrics, whole.metrics, "{kind}");
        let test = whole.metrics.test.unwrap();
        assert!(test.accuracy > 0.9, "{kind}: {test:?}");
        let model = Model::load(&out, Device::Flex).unwrap();
        let again = model.predict(&features, &world.posts, &whole.rows).unwrap();
        let again: Vec<_> = again.into_iter().flatten().map(|p| p.p_fake).collect();
        let before: Vec<_> = whole.predictions.iter().map(|p| p.p_fake).collect();
        assert_eq!(again, before, "{kind}");
    }
}

#[test]
fn a_head_asks_only_for_the_features_that_it_reads() {
    let world = World::new(posts(64));
    let store = world.path("some");
    write_store(
        &store,
        &world.posts,
        &["bert", "clip_text", "clip_image"],
        "1f2e",
    );
    let store = Store::open(&store).unwrap();
    for settings in [
        ["head.ablation=text-only", "train.epochs=1"],
        [
            "head.kind=linear",
            "head.features=[\"bert\", \"clip_image\"]",
        ],
    ] {
        let settings = settings.map(str::to_owned);
        let config = Config::read(None, &settings).unwrap();
        let encoders = config.head.encoders();
        let features = Features::load(&store, &world.posts, &encoders).unwrap();
        let options = options(&world.path(&settings[1]));
        let summary = train(&features, &world.posts, &config, &options, &|_| ()).unwrap();
        let read: Vec<_> = summary
            .info
            .encoders
            .iter()
            .map(|spec| &spec.name)
            .collect();
        assert_eq!(read, encoders);
        assert_eq!(summary.info.sizes.resnet, 0);
    }
    for (ablation, own) in [
        ("head.ablation=text-only", ["bert", "clip_text"]),
        ("head.ablation=image-only", ["clip_image", "resnet"]),
    ] {
        let path = world.path(&format!("store of {ablation}"));
        write_store(&path, &world.posts, &own, "1f2e");
        let config = Config::read(None, &[ablation.into(), "train.epochs=1".into()]).unwrap();
        assert_eq!(config.head.encoders(), own);
        let store = Store::open(&path).unwrap();
        let features = Features::load(&store, &world.posts, &own).unwrap();
        let options = options(&world.path(ablation));
        train(&features, &world.posts, &config, &options, &|_| ()).unwrap();
    }
    let whole = Config::default().head.encoders();
    let error = Features::load(&store, &world.posts, &whole)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`resnet`") && error.contains("mmfnd encode"),
        "{error}"
    );
}
