//! `docs/new-head.md` shows the head of `heads/example.rs` as it is, and that head does all that it says.

use mmfnd_features::{Features, Store};

use super::docs;
use super::world::{World, posts};
use crate::{Config, Device, HEADS, Model, RunOptions, train};

const BEGIN: &str =
    "<!-- example: crates/train/src/heads/example.rs, by a test of `crates/train` -->\n```rust\n";
const END: &str = "```\n<!-- end of the example -->\n";

#[test]
fn docs_show_the_example_as_it_is() {
    let expected = include_str!("../heads/example.rs");
    docs::check("new-head.md", [BEGIN, END], expected);
}

#[test]
fn the_example_is_trained_resumed_and_read_back_by_its_name_alone() {
    let kind = HEADS.iter().find(|kind| kind.name == "example").unwrap();
    assert_eq!(kind.extras, ["likeness"]);
    let settings = ["head.kind=example", "head.width=8", "train.epochs=4"].map(str::to_owned);
    let config = Config::read(None, &settings).unwrap();
    assert_eq!(config.train.learning_rate, 1e-3, "its own default");
    let world = World::new(posts(96));
    let store = Store::open(&world.path("store")).unwrap();
    let features = Features::load(&store, &world.posts, &config.head.encoders()).unwrap();
    let run = |name: &str, last: usize, resume| {
        let out = world.path(name);
        let options = RunOptions {
            out,
            resume,
            ..RunOptions::default()
        };
        train(&features, &world.posts, &config, &options, &|report| {
            assert!(report.epoch <= last, "killed");
        })
    };
    let summary = run("whole", 4, false).unwrap();
    assert!(std::panic::catch_unwind(|| run("cut", 2, false)).is_err());
    run("cut", 4, true).unwrap();
    for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
        let read = |run: &str| std::fs::read(world.path(run).join(file)).unwrap();
        assert!(read("whole") == read("cut"), "{file}");
    }
    let lines = std::fs::read_to_string(world.path("whole/metrics.jsonl")).unwrap();
    assert!(lines.contains("\"unlike\""), "{lines}");
    let model = Model::load(&world.path("whole"), Device::Flex).unwrap();
    let again = model.predict(&features, &world.posts, &summary.rows);
    for (again, before) in again.unwrap().iter().zip(&summary.predictions) {
        let again = again.as_ref().unwrap();
        assert_eq!(again.logits, before.logits);
        assert_eq!(again.extras, before.extras);
        assert!((-1.0..=1.0).contains(&again.extras[0]));
    }
}
