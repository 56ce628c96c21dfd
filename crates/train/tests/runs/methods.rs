//! The other methods of Table 1 as runs: trained, killed and resumed, read back, swept, and refused where they cannot do.

use mmfnd_features::{Features, Store};
use mmfnd_posts::Columns;
use mmfnd_train::{Config, Device, Model, train, write_predictions};

use crate::setup::{bytes, incomplete, load, options};
use crate::small_methods::{METHODS, method, run_and_resume, with_events};
use crate::world::{World, posts};

#[test]
fn a_method_resumes_to_the_same_bytes_and_predicts_what_its_run_predicted() {
    let world = World::with_tokens(with_events(posts(96)));
    for method in METHODS {
        let kind = method.kind;
        let summary = run_and_resume(&world, &method.config(&[]).unwrap());
        let run = format!("whole {kind}");
        let lines = String::from_utf8(bytes(&world, &run, "metrics.jsonl")).unwrap();
        let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        let losses = first["losses"].as_object();
        let losses: Vec<_> = losses.into_iter().flat_map(|all| all.keys()).collect();
        assert_eq!(losses, method.losses, "{kind}");

        let model = Model::load(&world.path(&run), Device::Flex).unwrap();
        assert_eq!(model.extras(), method.extras, "{kind}");
        let again = model
            .predict(&load(&world), &world.posts, &summary.rows)
            .unwrap();
        for (again, before) in again.iter().zip(&summary.predictions) {
            let again = again.as_ref().unwrap();
            assert_eq!(
                (again.logits, &again.extras),
                (before.logits, &before.extras),
                "{kind}"
            );
            assert_eq!(again.extras.len(), method.extras.len());
            assert!(
                again
                    .extras
                    .iter()
                    .all(|value| value.is_finite() && *value >= 0.0),
                "{kind}"
            );
        }
        let file = world.path(&run).join("predictions.parquet");
        let table = Columns::read(&file, "them").unwrap();
        for name in method.extras {
            let values = table.floats(name).unwrap();
            assert_eq!(values.len(), summary.rows.len());
        }
    }
}

#[test]
fn columns_that_only_one_method_has_are_null_where_a_post_cannot_be_scored() {
    let world = World::new(posts(64));
    let config = method("mvae").config(&["train.epochs=1"]).unwrap();
    let options = options(&world.path("run"));
    train(&load(&world), &world.posts, &config, &options, &|_| ()).unwrap();
    let model = Model::load(&world.path("run"), Device::Flex).unwrap();
    let lacking = incomplete(16);
    let rows: Vec<_> = (0..16).collect();
    let predictions = model
        .predict(&load(&lacking), &lacking.posts, &rows)
        .unwrap();
    let out = lacking.path("scores.csv");
    let posts: Vec<_> = lacking.posts.iter().collect();
    write_predictions(&out, &posts, (&predictions, model.extras())).unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<Vec<_>> = text.lines().map(|line| line.split(',').collect()).collect();
    let column = lines[0]
        .iter()
        .position(|name| *name == "error_text")
        .unwrap();
    for (line, post) in lines[1..].iter().zip(&lacking.posts) {
        assert_eq!(line[column].is_empty(), post.images.is_empty(), "{line:?}");
    }
}

#[test]
fn fnd_clip_masks_what_a_post_lacks_and_the_others_say_why_they_cannot() {
    let world = incomplete(96);
    let (can, cannot) = METHODS.split_first().unwrap();
    let summary = run_and_resume(&world, &can.config(&["train.missing=mask"]).unwrap());
    assert_eq!(
        summary.rows.len(),
        95,
        "one post has neither text nor picture"
    );
    let model = Model::load(&world.path("whole fnd-clip"), Device::Flex).unwrap();
    for (row, prediction) in summary.rows.iter().zip(&summary.predictions) {
        let alone = model.predict(&load(&world), &world.posts, &[*row]).unwrap();
        assert_eq!(
            alone[0].as_ref().unwrap().logits,
            prediction.logits,
            "{row}"
        );
        let lacks_image = world.posts[*row].images.is_empty();
        assert_eq!(prediction.attention[1].is_nan(), lacks_image, "{row}");
    }
    for method in cannot {
        let error = method
            .config(&["train.missing=mask"])
            .unwrap_err()
            .to_string();
        let named = format!("`{}`", method.kind);
        assert!(
            error.contains(&named) && error.contains("use `drop`"),
            "{error}"
        );
    }
}

#[test]
fn a_method_brings_its_own_training_where_nothing_is_set() {
    let train = |settings: &[&str]| {
        let settings: Vec<_> = settings.iter().map(|&setting| setting.to_owned()).collect();
        Config::read(None, &settings).unwrap().train
    };
    let mcan = train(&["head.kind=mcan"]);
    assert_eq!(
        (mcan.warmup_epochs, mcan.clip_norm, mcan.patience),
        (10.0, 1.0, 10)
    );
    let shorter = train(&["head.kind=mcan", "train.epochs=4", "train.clip_norm=0"]);
    assert_eq!(
        (shorter.warmup_epochs, shorter.clip_norm, shorter.epochs),
        (4.0, 0.0, 4)
    );
    let mvae = train(&["head.kind=mvae", "train.lr=0.5"]);
    assert_eq!(
        (mvae.learning_rate, mvae.batch_size, mvae.epochs),
        (0.5, 128, 300)
    );
    assert_eq!(train(&["head.kind=mmfnd"]), Config::default().train);
    // what a run wrote down is what it is read back with
    let config = Config::read(None, &["head.kind=mvae".to_owned()]).unwrap();
    assert_eq!(
        Config::parse(&config.to_toml(), "config.toml").unwrap(),
        config
    );
}

#[test]
fn posts_of_too_few_events_and_stores_without_tokens_are_refused_before_anything_is_written() {
    let world = World::with_tokens(posts(64));
    let config = method("eann").config(&[]).unwrap();
    let options = options(&world.path("run"));
    let error = train(&load(&world), &world.posts, &config, &options, &|_| ());
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("name none") && error.contains("column `event`"),
        "{error}"
    );
    assert!(!world.path("run").exists());

    let world = World::new(posts(64));
    let config = method("safe").config(&[]).unwrap();
    let error = train(&load(&world), &world.posts, &config, &options, &|_| ());
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("`tokens`") && error.contains("--with-tokens"),
        "{error}"
    );
}

#[test]
fn tokens_that_stay_on_the_disk_are_those_in_memory() {
    let world = World::with_tokens(with_events(posts(96)));
    let store = Store::open(&world.path("store")).unwrap();
    let config = method("cafe").config(&["train.epochs=2"]).unwrap();
    let run = |name: &str, budget| {
        let encoders = config.head.encoders();
        let features = Features::load_within(&store, &world.posts, &encoders, budget).unwrap();
        let options = options(&world.path(name));
        train(&features, &world.posts, &config, &options, &|_| ()).unwrap();
        bytes(&world, name, "weights.safetensors")
    };
    assert!(run("memory", u64::MAX) == run("disk", 0));
}
