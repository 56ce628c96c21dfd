//! The other methods of Table 1 as runs: trained, killed and resumed, read back, swept, and refused where they cannot do.

use mmfnd_features::{Features, Store};
use mmfnd_posts::{Columns, Post};
use mmfnd_train::{Config, Device, Model, RunOptions, train, write_predictions};
use safetensors::SafeTensors;

use crate::setup::{bytes, incomplete, load, options};
use crate::world::{World, posts};

/// A method with options that make it small, the columns of predictions that it adds, and the losses that it names.
struct Method {
    kind: &'static str,
    options: &'static [&'static str],
    extras: &'static [&'static str],
    losses: &'static [&'static str],
}

const METHODS: [Method; 10] = [
    Method {
        kind: "fnd-clip",
        options: &["head.hidden=8", "head.branch=4"],
        extras: &[],
        losses: &[],
    },
    Method {
        kind: "eann",
        options: &["head.filters=4", "head.hidden=6"],
        extras: &[],
        losses: &["event"],
    },
    Method {
        kind: "safe",
        options: &[
            "head.reduced=4",
            "head.filters=4",
            "head.image_hidden=8",
            "head.width=4",
        ],
        extras: &["agreement"],
        losses: &["agreement"],
    },
    Method {
        kind: "cafe",
        options: &[
            "head.filters=4",
            "head.width=8",
            "head.shared=6",
            "head.branch=4",
        ],
        extras: &["ambiguity"],
        losses: &["align"],
    },
    Method {
        kind: "mcan",
        options: &[
            "head.width=8",
            "head.heads=2",
            "head.feed=16",
            "head.hidden=4",
        ],
        extras: &[],
        losses: &[],
    },
    Method {
        kind: "liimr",
        options: &[
            "head.width=8",
            "head.heads=2",
            "head.feed=16",
            "head.filters=4",
        ],
        extras: &["p_fake_text", "p_fake_image"],
        losses: &["judges"],
    },
    Method {
        kind: "mvae",
        options: &[
            "head.text_hidden=8",
            "head.image_hidden=8",
            "head.single=4",
            "head.latent=4",
        ],
        extras: &["error_text", "error_image"],
        losses: &["image", "kl", "text"],
    },
    Method {
        kind: "cmc",
        options: &["head.hidden=8", "head.projection=4", "head.negatives=16"],
        extras: &["p_fake_text", "p_fake_image"],
        losses: &["contrast", "image", "text"],
    },
    Method {
        kind: "mcnn",
        options: &["head.gru=4", "head.image_hidden=8", "head.width=4"],
        extras: &["agreement"],
        losses: &["agreement"],
    },
    Method {
        kind: "mkemn",
        options: &[
            "head.gru=4",
            "head.image=4",
            "head.filters=4",
            "head.width=6",
            "head.slots=3",
        ],
        extras: &[],
        losses: &[],
    },
];

/// Of the method of that name.
fn method(kind: &str) -> &'static Method {
    METHODS.iter().find(|method| method.kind == kind).unwrap()
}

/// Posts about a dozen events.
fn with_events(mut posts: Vec<Post>) -> Vec<Post> {
    for (i, post) in posts.iter_mut().enumerate() {
        post.event = Some(format!("event {}", i / 2 % 12));
    }
    posts
}

impl Method {
    fn config(&self, settings: &[&str]) -> Result<Config, mmfnd_train::Error> {
        let kind = format!("head.kind={}", self.kind);
        let common = [
            "train.epochs=4",
            "train.batch_size=16",
            "train.learning_rate=0.01",
        ];
        let settings = [self.options, &common, settings].concat();
        let settings = settings.into_iter().map(str::to_owned);
        Config::read(
            None,
            &[kind].into_iter().chain(settings).collect::<Vec<_>>(),
        )
    }
}

/// A run of all four epochs, and one that is killed in the third and resumed; both leave the same bytes.
fn run_and_resume(world: &World, config: &Config) -> mmfnd_train::RunSummary {
    let features = load(world);
    let kind = config.head.kind().name;
    let (whole, cut) = (format!("whole {kind}"), format!("cut {kind}"));
    let run = |name: &str, last: usize, resume| {
        let options = RunOptions {
            resume,
            ..options(&world.path(name))
        };
        train(&features, &world.posts, config, &options, &|report| {
            assert!(report.epoch <= last, "killed");
        })
    };
    let summary = run(&whole, 4, false).unwrap();
    assert!(std::panic::catch_unwind(|| run(&cut, 2, false)).is_err());
    run(&cut, 4, true).unwrap();
    for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
        let (whole, cut) = (bytes(world, &whole, file), bytes(world, &cut, file));
        assert!(whole == cut, "{file} of {kind}");
    }
    summary
}

#[test]
fn batches_whose_gradients_are_added_up_are_one_of_all_their_posts() {
    let world = World::with_tokens(posts(96));
    let safe = method("safe"); // it knows nothing of the batch, and drops nothing
    let weights = |name: &str, settings: &[&str]| -> Vec<f32> {
        let schedule = [
            "train.schedule=cosine",
            "train.warmup_epochs=1",
            "train.clip_norm=0.5",
        ];
        let config = safe.config(&[settings, &schedule].concat()).unwrap();
        let options = options(&world.path(name));
        train(&load(&world), &world.posts, &config, &options, &|_| ()).unwrap();
        let bytes = bytes(&world, name, "weights.safetensors");
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mut names = file.names();
        names.sort();
        let values = names.into_iter().flat_map(|name| {
            let (words, _) = file.tensor(name).unwrap().data().as_chunks::<4>();
            words.iter().map(|word| f32::from_le_bytes(*word))
        });
        values.collect()
    };
    let large = weights("large", &["train.batch_size=24"]);
    // the last step of an epoch is of fewer posts, and so is its last batch
    let small = ["train.batch_size=8", "train.accumulate=3"];
    let (added, alone) = (weights("added", &small), weights("alone", &small[..1]));
    let far = |other: &[f32]| -> f32 {
        let gaps = large.iter().zip(other).map(|(a, b)| (a - b).abs());
        gaps.fold(0.0, f32::max)
    };
    assert!(far(&added) < 1e-4, "{}", far(&added));
    assert!(far(&alone) > 1e-2, "{}", far(&alone));
}

#[test]
fn a_method_of_several_steps_a_batch_adds_up_none() {
    let world = World::with_tokens(posts(96));
    let config = method("cafe").config(&["train.accumulate=2"]).unwrap();
    let options = options(&world.path("run"));
    let error = train(&load(&world), &world.posts, &config, &options, &|_| ());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("train.accumulate"), "{error}");
    assert!(!world.path("run").exists());
}

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
fn the_second_stage_of_cmc_changes_no_bit_of_the_first() {
    let world = World::new(posts(96));
    run_and_resume(&world, &method("cmc").config(&[]).unwrap());
    let features = load(&world);
    let config = method("cmc").config(&[]).unwrap();
    let stopped = std::panic::catch_unwind(|| {
        let options = options(&world.path("stopped"));
        train(&features, &world.posts, &config, &options, &|report| {
            assert!(report.epoch <= 2, "killed");
        })
    });
    assert!(stopped.is_err());
    // of two epochs a stage, the kill in the third leaves the best of the first two
    let best = std::fs::read_dir(world.path("stopped/checkpoint")).unwrap();
    let best = best.map(|entry| entry.unwrap().path());
    let best = best.filter(|path| path.display().to_string().contains("best-"));
    let stage_1 = std::fs::read(best.last().unwrap()).unwrap();
    let end = bytes(&world, "whole cmc", "weights.safetensors");
    let (stage_1, end) = (tensors(&stage_1), tensors(&end));
    assert_eq!(stage_1.len(), end.len());
    for ((name, before), (_, after)) in stage_1.iter().zip(&end) {
        assert_eq!(before == after, !name.starts_with("fusion"), "{name}");
    }
}

#[test]
fn cmc_goes_on_with_its_banks_where_its_first_stage_was_killed() {
    let world = World::new(posts(96));
    let features = load(&world);
    // three epochs a stage: what the second and third are compared with is in the banks that the first one left
    let config = method("cmc").config(&["train.epochs=6"]).unwrap();
    let run = |name: &str, last: usize, resume| {
        let options = RunOptions {
            resume,
            ..options(&world.path(name))
        };
        train(&features, &world.posts, &config, &options, &|report| {
            assert!(report.epoch <= last, "killed");
        })
    };
    run("whole", 6, false).unwrap();
    for last in [1, 2] {
        let name = format!("cut {last}");
        assert!(std::panic::catch_unwind(|| run(&name, last, false)).is_err());
        run(&name, 6, true).unwrap();
        for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
            let (whole, cut) = (bytes(&world, "whole", file), bytes(&world, &name, file));
            assert!(whole == cut, "{file} killed behind epoch {last}");
        }
    }
    let losses = |name: &str| {
        let lines = String::from_utf8(bytes(&world, name, "metrics.jsonl")).unwrap();
        let contrast = lines.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["losses"]["contrast"].clone()
        });
        contrast.collect::<Vec<_>>()
    };
    assert_eq!(losses("whole"), losses("cut 1"));
}

/// Names and bytes of what a safetensors file holds.
fn tensors(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let tensors = safetensors::SafeTensors::deserialize(file).unwrap();
    let mut all: Vec<_> = (tensors.tensors().into_iter())
        .map(|(name, view)| (name, view.data().to_vec()))
        .collect();
    all.sort();
    all
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
