//! Posts that lack a picture or a text.

use mmfnd_train::{Config, Device, Model, train};

use crate::setup::{bytes, incomplete, interrupted_with, load, options, resumes_like, run};
use crate::world::{World, posts};

#[test]
fn posts_without_a_picture_are_counted_and_listed() {
    let mut posts = posts(96);
    posts[5].images.clear();
    let world = World::new(posts);
    let summary = run(&world, "run", &[]).unwrap();
    assert_eq!(summary.info.counts.left_out, 1);
    let rejects = String::from_utf8(bytes(&world, "run", "rejects.csv")).unwrap();
    assert_eq!(
        rejects,
        "post_id,split,reason\np5,train,no usable picture\n"
    );
}

#[test]
fn posts_that_lack_a_modality_are_masked_when_asked_for() {
    let world = incomplete(240);
    let dropped = run(&world, "dropped", &["train.epochs=1"]).unwrap();
    assert_eq!(dropped.info.counts.left_out, 61);
    let settings = ["train.missing=mask", "train.epochs=15"];
    let summary = run(&world, "masked", &settings).unwrap();
    assert_eq!(summary.info.counts.left_out, 1);
    let rejects = String::from_utf8(bytes(&world, "masked", "rejects.csv")).unwrap();
    assert!(
        rejects.contains("p4,train,neither text nor usable picture"),
        "{rejects}"
    );
    let test = summary.metrics.test.unwrap();
    assert!(test.n == 60 && test.accuracy > 0.9, "{test:?}");
    for (row, prediction) in summary.rows.iter().zip(&summary.predictions) {
        let (has_image, has_text) = (row % 4 != 3, row % 8 != 4);
        let there = prediction.attention.map(|weight| !weight.is_nan());
        assert_eq!(there, [has_text, has_image, has_text && has_image], "{row}");
        assert_eq!(!prediction.similarity.is_nan(), has_text && has_image);
    }
}

#[test]
fn with_masks_a_prediction_does_not_depend_on_the_other_posts_and_resuming_not_on_the_interruption()
{
    let world = incomplete(96);
    let settings = ["train.missing=mask", "train.batch_size=5"];
    let summary = run(&world, "run", &settings).unwrap();
    interrupted_with(&world, "cut", 2, &settings);
    resumes_like(&world, ("run", "cut"), &settings, &|_| ());
    let model = Model::load(&world.path("run"), Device::Flex).unwrap();
    for (row, prediction) in summary.rows.iter().zip(&summary.predictions) {
        let alone = model.predict(&load(&world), &world.posts, &[*row]).unwrap();
        assert_eq!(
            alone[0].as_ref().unwrap().logits,
            prediction.logits,
            "{row}"
        );
    }
    let neither = model.predict(&load(&world), &world.posts, &[4]).unwrap();
    assert_eq!(neither, [None]);
}

#[test]
fn a_head_leaves_out_the_posts_that_none_of_its_branches_can_read() {
    let world = incomplete(96);
    for (setting, left_out) in [
        ("head.ablation=text-only", 12),
        ("head.ablation=image-only", 25),
        ("head.ablation=multimodal-only", 36),
        ("head.ablation=without-p", 1),
        ("head.kind=linear", 1),
    ] {
        let settings = [setting, "train.missing=mask", "train.epochs=2"].map(str::to_owned);
        let config = Config::read(None, &settings).unwrap();
        let options = options(&world.path(setting));
        let summary = train(&load(&world), &world.posts, &config, &options, &|_| ()).unwrap();
        assert_eq!(summary.info.counts.left_out, left_out, "{setting}");
    }
    let settings = ["head.variant=released", "train.missing=mask"].map(str::to_owned);
    let error = Config::read(None, &settings).unwrap_err().to_string();
    assert!(error.contains("head.routing"), "{error}");
}
