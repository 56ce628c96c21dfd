//! The other methods of Table 1 by the program itself, on features of a demo world with the states of its tokens: what
//! each must be able to see.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mmfnd_demo_world::{WorldOptions, generate};
use mmfnd_posts::{Columns, Label, Post, Split, read_posts, write_posts};
use tempfile::TempDir;

use crate::program::{Mmfnd, Ran};

/// A demo world, encoded.
struct Demo(TempDir);

impl Demo {
    /// The same one for all tests.
    fn get() -> &'static Self {
        static DEMO: OnceLock<Demo> = OnceLock::new();
        DEMO.get_or_init(|| {
            let demo = Self(tempfile::tempdir().unwrap());
            let options = WorldOptions {
                seed: 5,
                posts: 2000,
            };
            generate(&options, &demo.path("world")).unwrap();
            demo.encode("world/posts.parquet");
            demo
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn encode(&self, posts: &str) -> Ran {
        let (posts, store) = (self.text(posts), self.text("store"));
        let given = ["encode", "--posts", &posts, "--store", &store];
        let more = ["--preset", "demo", "--with-tokens"];
        Mmfnd::new(given.into_iter().chain(more)).succeeds()
    }

    fn train(&self, posts: &str, out: &str, settings: &[&str]) -> PathBuf {
        let mut given = vec!["train".to_owned(), "--posts".into(), self.text(posts)];
        given.extend(["--store".into(), self.text("store")]);
        given.extend(["--out".into(), self.text(out)]);
        for setting in settings {
            given.extend(["--set".to_owned(), (*setting).to_owned()]);
        }
        Mmfnd::new(given).succeeds();
        self.path(out)
    }
}

/// A column of predictions by post, of a file that has it for each.
fn column(file: &Path, name: &str) -> BTreeMap<String, f32> {
    let table = Columns::read(file, "predictions").unwrap();
    let ids = table.strings("post_id", false).unwrap();
    let values = table.floats(name).unwrap();
    let pairs = ids.into_iter().zip(values);
    pairs
        .map(|(id, value)| (id.unwrap(), value.unwrap()))
        .collect()
}

/// How often one of the first is larger than one of the second, ties counting half.
fn auc(first: &[f32], second: &[f32]) -> f64 {
    let larger = |a: f32, b: f32| f64::from(u8::from(a > b)) + 0.5 * f64::from(u8::from(a == b));
    let pairs = first
        .iter()
        .flat_map(|&a| second.iter().map(move |&b| larger(a, b)));
    pairs.sum::<f64>() / (first.len() * second.len()) as f64
}

/// How often each pair stands in the training posts.
const PASSES: usize = 20;

/// Real posts as they are, called real, and beside them each text with the picture of the third post behind it in its
/// split, called fake.
fn pairs(posts: Vec<Post>) -> Vec<Post> {
    let real = posts
        .into_iter()
        .filter(|post| post.label == Some(Label::Real));
    let real: Vec<_> = real.collect();
    let mut all = Vec::new();
    for split in [Split::Train, Split::Validation, Split::Test] {
        let own: Vec<_> = real.iter().filter(|post| post.split == split).collect();
        let passes = if split == Split::Train { PASSES } else { 1 };
        for (index, post) in own.iter().enumerate() {
            for pass in 0..passes {
                let own_pair = Post {
                    id: format!("{} {pass}", post.id),
                    ..(*post).clone()
                };
                all.push(Post {
                    id: format!("{} rolled", own_pair.id),
                    images: own[(index + 3) % own.len()].images.clone(),
                    label: Some(Label::Fake),
                    ..own_pair.clone()
                });
                all.push(own_pair);
            }
        }
    }
    all
}

#[test]
fn safe_sees_which_texts_and_pictures_belong_together() {
    let demo = Demo::get();
    let posts = pairs(read_posts(&demo.path("world/posts.parquet")).unwrap());
    let test = posts.iter().filter(|post| post.split == Split::Test);
    let (rolled, own): (Vec<_>, Vec<_>) = test.partition(|post| post.label == Some(Label::Fake));
    assert!(own.len() > 150 && own.len() == rolled.len());
    write_posts(&demo.path("pairs.parquet"), &posts).unwrap();
    demo.encode("pairs.parquet");
    for seed in 1..=3 {
        let seed = format!("train.seed={seed}");
        // the cross-entropy, which counts 0.6, is next to nothing beside the agreement; and since the best epoch is the
        // one with the best classifier, which sees no product of text and picture, there is one epoch of many passes
        let settings = [
            "head.kind=safe",
            "head.agreement=1000",
            "train.epochs=1",
            &seed,
        ];
        let run = demo.train("pairs.parquet", &seed, &settings);
        let agreement = column(&run.join("predictions.parquet"), "agreement");
        let of = |posts: &[&Post]| -> Vec<f32> {
            posts.iter().map(|post| agreement[&post.id]).collect()
        };
        let auc = auc(&of(&own), &of(&rolled));
        println!("{seed}: {auc:.3}");
        assert!(auc > 0.6, "{seed}: {auc}");
    }
}

#[test]
fn mvae_rebuilds_either_modality_better_than_its_mean_does() {
    let demo = Demo::get();
    // the class is in the loss, too, and only makes it harder
    let settings = ["head.kind=mvae", "train.epochs=30", "train.batch_size=64"];
    let posts = "world/posts.parquet";
    let run = demo.train(posts, "mvae", &settings);
    let test = read_posts(&demo.path(posts)).unwrap();
    let test: Vec<_> = test
        .iter()
        .filter(|post| post.split == Split::Test)
        .collect();
    for name in ["error_text", "error_image"] {
        let errors = column(&run.join("predictions.parquet"), name);
        let sum: f32 = test.iter().map(|post| errors[&post.id]).sum();
        let mean = sum / test.len() as f32;
        println!("{name}: {mean:.3}");
        assert!(mean < 1.0, "{name}: {mean}; each number's variance is 1");
    }
}

#[test]
fn a_head_with_columns_of_its_own_is_trained_evaluated_and_used() {
    let demo = Demo::get();
    let (posts, store) = (demo.text("world/posts.parquet"), demo.text("store"));
    let settings = ["head.kind=cafe", "train.epochs=2"];
    let run = demo.train("world/posts.parquet", "cafe", &settings);
    let run = run.to_str().unwrap();

    let json = |more: &[&str]| -> serde_json::Value {
        let ran = Mmfnd::new([&["evaluate", run, "--json"], more].concat()).succeeds();
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let written = json(&[]);
    assert_eq!(written["test"]["n"], 400);
    let anew = json(&["--posts", &posts, "--store", &store]);
    assert_eq!(anew["test"], written["test"]);

    let predict = |posts: &str, out: &str, more: &[&str]| {
        let (posts, out) = (demo.text(posts), demo.text(out));
        let given = ["predict", run, "--posts", &posts, "--store", &store];
        Mmfnd::new([&given[..], &["--out", &out], more].concat())
    };
    predict("world/posts.parquet", "scores.parquet", &[])
        .succeeds()
        .expect_stdout("2000 posts: ");
    let scores = demo.path("scores.parquet");
    let (scored, before) = (
        column(&scores, "ambiguity"),
        column(&demo.path("cafe/predictions.parquet"), "ambiguity"),
    );
    assert!(scored.values().all(|value| (0.5..=1.0).contains(value)));
    assert!(before.iter().all(|(id, value)| scored[id] == *value));

    // posts that are not in the store yet are encoded, with their tokens
    let options = WorldOptions { seed: 6, posts: 20 };
    generate(&options, &demo.path("new")).unwrap();
    predict("new/posts.parquet", "new.csv", &[])
        .fails()
        .expect_stderr("mmfnd encode");
    predict("new/posts.parquet", "new.csv", &["--preset", "demo"])
        .succeeds()
        .expect_stdout("20 posts: ");
    let lines = fs::read_to_string(demo.path("new.csv")).unwrap();
    let head =
        "post_id,label,p_fake,attention_text,attention_image,attention_cross,similarity,ambiguity";
    assert_eq!(lines.lines().next(), Some(head));
    let is_filled = |line: &str| line.rsplit(',').next().unwrap().parse::<f32>().is_ok();
    assert!(lines.lines().skip(1).all(is_filled), "{lines}");
}
