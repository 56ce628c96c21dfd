//! ResNet trained with the head on a small demo world, by the demo's own ResNet: from maps and from pictures.

use std::fs;
use std::path::{Path, PathBuf};

use crate::encode::{arguments, text, world};
use crate::program::Mmfnd;

/// A world and its store with maps.
fn encoded(folder: &Path) -> (PathBuf, PathBuf) {
    let (posts, store) = (world(folder, 120), folder.join("store"));
    let mut encode = arguments(&posts, &store);
    encode.push("--with-maps");
    let said = Mmfnd::new(encode).succeeds();
    // 64 x 4 x 4 float16 a picture
    said.expect_stderr("the maps of 120 pictures will take 0.2 MB of the store")
        .expect_stdout("resnet_map");
    (posts, store)
}

/// `train` with these settings, of few epochs.
fn train(world: &(PathBuf, PathBuf), run: &Path, settings: &[&str]) -> Mmfnd {
    let (posts, store) = (text(&world.0), text(&world.1));
    let mut given = vec![
        "train",
        "--posts",
        posts,
        "--store",
        store,
        "--out",
        text(run),
        "--online-resnet",
    ];
    for setting in ["train.epochs=2", "train.lr=1e-3"].iter().chain(settings) {
        given.extend(["--set", setting]);
    }
    Mmfnd::new(given)
}

#[test]
fn each_depth_is_trained_evaluated_and_predicts_new_posts() {
    let folder = tempfile::tempdir().unwrap();
    let world = encoded(folder.path());
    let mut weights = Vec::new();
    for (depth, held) in [
        ("fc", None),
        ("layer4", Some("fourth layer is")),
        ("layer3", Some("third and fourth layer are")),
        ("all", Some("all of ResNet is")),
    ] {
        let run = folder.path().join(depth);
        let trained = train(&world, &run, &[&format!("resnet.unfreeze={depth}")]).succeeds();
        let doubts = "make other features of pictures";
        assert!(!trained.stdout.contains(doubts), "{}", trained.stdout);
        if let Some(held) = held {
            trained.expect_stdout(held);
        }
        weights.push(fs::read(run.join("weights.safetensors")).unwrap());
        let (posts, store) = (text(&world.0), text(&world.1));
        let evaluated = Mmfnd::new([
            "evaluate",
            text(&run),
            "--posts",
            posts,
            "--store",
            store,
            "--json",
        ]);
        let evaluated = evaluated.succeeds().stdout;
        let written = Mmfnd::new(["evaluate", text(&run), "--json"])
            .succeeds()
            .stdout;
        let accuracy = |said: &str| -> f64 {
            let said: serde_json::Value = serde_json::from_str(said).unwrap();
            said["test"]["accuracy"].as_f64().unwrap()
        };
        assert_eq!(accuracy(&evaluated), accuracy(&written), "{depth}");
        let out = folder.path().join(format!("{depth}.csv"));
        let new = folder.path().join("new");
        fs::create_dir_all(&new).unwrap();
        let more = mmfnd_demo_world::WorldOptions { seed: 4, posts: 20 };
        mmfnd_demo_world::generate(&more, &new).unwrap();
        let copy = folder.path().join(format!("store for {depth}"));
        copy_folder(&world.1, &copy);
        let new = new.join("posts.parquet");
        Mmfnd::new([
            "predict",
            text(&run),
            "--posts",
            text(&new),
            "--store",
            text(&copy),
            "--preset",
            "demo",
            "--out",
            text(&out),
        ])
        .succeeds()
        .expect_stdout("0 that cannot be scored");
    }
    for (at, bytes) in weights.iter().enumerate() {
        assert!(
            !weights[..at].contains(bytes),
            "two depths gave one network"
        );
    }
}

#[test]
fn a_picture_that_changed_is_named_and_nothing_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let world = encoded(folder.path());
    let posts = mmfnd_posts::read_posts(&world.0).unwrap();
    let picture = &posts[7].images[0];
    fs::write(picture, b"no picture any more").unwrap();
    let run = folder.path().join("run");
    train(&world, &run, &["resnet.unfreeze=all"])
        .fails()
        .expect_stderr(&posts[7].id)
        .expect_stderr(text(picture));
    assert!(!run.join("weights.safetensors").exists());
    // maps need no picture
    train(&world, &folder.path().join("maps"), &[]).succeeds();
}

#[test]
fn pictures_are_varied_by_the_seed_alone_and_a_killed_run_goes_on_with_the_same_ones() {
    let folder = tempfile::tempdir().unwrap();
    let world = encoded(folder.path());
    let path = |name: &str| folder.path().join(name);
    let settings = [
        "resnet.unfreeze=layer3",
        "resnet.augment=crop-flip",
        "train.accumulate=2",
        "train.batch_size=16",
        "train.epochs=6",
    ];
    let weights = |name: &str| fs::read(path(name).join("weights.safetensors")).unwrap();
    train(&world, &path("whole"), &settings).succeeds();
    let plain = [&settings[..1], &settings[2..]].concat();
    train(&world, &path("plain"), &plain).succeeds();
    assert_ne!(weights("whole"), weights("plain"));
    let run = path("cut");
    let checkpoint = run.join("checkpoint/last.safetensors");
    train(&world, &run, &settings).killed_when_there_is(&checkpoint);
    assert!(
        !run.join("metrics.json").exists(),
        "it was too fast to be killed"
    );
    let mut resumed = train(&world, &run, &settings).command();
    assert!(resumed.arg("--resume").output().unwrap().status.success());
    assert_eq!(weights("whole"), weights("cut"));
    // maps are of whole pictures
    train(&world, &path("maps"), &["resnet.augment=crop-flip"])
        .fails()
        .expect_stderr("`resnet.augment` is for pictures");
}

#[test]
fn a_sweep_compares_depths() {
    let folder = tempfile::tempdir().unwrap();
    let world = encoded(folder.path());
    let out = folder.path().join("sweep");
    Mmfnd::new([
        "sweep",
        "--posts",
        text(&world.0),
        "--store",
        text(&world.1),
        "--out",
        text(&out),
        "--set",
        "train.epochs=1",
        "--grid",
        "resnet.unfreeze=fc,layer4,all",
        "--seeds",
        "2",
    ])
    .succeeds()
    .expect_stdout("layer4");
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_folder(&entry.path(), &to),
            false => {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
}

#[test]
fn a_run_becomes_a_preset_whose_resnet_is_the_trained_one() {
    let folder = tempfile::tempdir().unwrap();
    let world = encoded(folder.path());
    let models = folder.path().join("models");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    for part in ["demo", "presets"] {
        fs::create_dir_all(models.join(part)).unwrap();
    }
    for entry in fs::read_dir(own.join("demo")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, models.join("demo").join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::copy(
        own.join("presets/demo.toml"),
        models.join("presets/demo.toml"),
    )
    .unwrap();
    let program = |arguments: &[&str]| {
        let mut command = Mmfnd::new(arguments).command();
        command.env("MMFND_MODELS", &models);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    // weights that hardly move, and weights that do
    for (name, rate) in [("near", "1e-9"), ("far", "1e-3")] {
        let run = folder.path().join(name);
        let rate = format!("resnet.learning_rate={rate}");
        train(&world, &run, &[&rate, "resnet.weight_decay=0"]).succeeds();
        let made = program(&["models", "from-run", text(&run), "--preset", name]);
        assert!(made.0, "{}", made.1);
        assert!(program(&["models", "check", name]).0);
        let again = program(&["models", "from-run", text(&run), "--preset", name]);
        assert!(
            !again.0 && again.1.contains("is there already"),
            "{}",
            again.1
        );
        let store = folder.path().join(format!("store of {name}"));
        let posts = text(&world.0);
        let encoded = program(&[
            "encode",
            "--posts",
            posts,
            "--preset",
            name,
            "--store",
            text(&store),
            "--only",
            "resnet",
        ]);
        assert!(encoded.0, "{}", encoded.1);
        let (before, after) = (features(&world.1, &world.0), features(&store, &world.0));
        let largest = before.iter().zip(&after).map(|(a, b)| (a - b).abs());
        let largest = largest.fold(0.0, f32::max);
        let is_near = largest < 5e-3; // half a step of float16 at the largest features
        assert_eq!(is_near, name == "near", "{largest}");
    }
    let fc = folder.path().join("fc");
    train(&world, &fc, &["resnet.unfreeze=fc"]).succeeds();
    let refused = program(&["models", "from-run", text(&fc), "--preset", "none"]);
    assert!(
        !refused.0 && refused.1.contains("trained no ResNet"),
        "{}",
        refused.1
    );
}

/// All features of ResNet, one post after the other.
fn features(store: &Path, posts: &Path) -> Vec<f32> {
    let posts = mmfnd_posts::read_posts(posts).unwrap();
    let store = mmfnd_features::Store::open(store).unwrap();
    let features = mmfnd_features::Features::load(&store, &posts, &["resnet"]).unwrap();
    let column = &features.columns[0];
    let mut row = vec![0.0; column.width()];
    let mut all = Vec::new();
    for post in 0..posts.len() {
        assert!(column.copy_row(post, &mut row));
        all.extend(&row);
    }
    all
}
