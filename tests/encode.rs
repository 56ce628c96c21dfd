//! `mmfnd encode` with the demo encoders: full disks, refusals, the real Twitter posts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mmfnd_demo_world::{WorldOptions, generate};
use mmfnd_features::{ColumnValues, Features, Store, Values};
use mmfnd_posts::{Label, Post, Split, read_posts, write_posts};

use crate::program::Mmfnd;

/// The encoders of the preset `demo`.
const NAMES: [&str; 4] = ["bert", "clip_text", "clip_image", "resnet"];

/// A small demo world; returns its `posts.parquet`.
pub(crate) fn world(folder: &Path, posts: usize) -> PathBuf {
    generate(&WorldOptions { seed: 3, posts }, folder).unwrap();
    folder.join("posts.parquet")
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Every batch in a part of its own.
pub(crate) fn arguments<'a>(posts: &'a Path, store: &'a Path) -> Vec<&'a str> {
    let (posts, store) = (text(posts), text(store));
    let given = [
        "encode", "--posts", posts, "--preset", "demo", "--store", store,
    ];
    given.into_iter().chain(["--write-every", "0"]).collect()
}

/// What the store holds of the posts, to the bit.
pub(crate) fn values(store: &Path, posts: &Path) -> Vec<(Vec<u32>, Vec<u16>)> {
    let posts = read_posts(posts).unwrap();
    let features = Features::load(&Store::open(store).unwrap(), &posts, &NAMES).unwrap();
    let columns = features.columns.into_iter();
    columns
        .map(|column| {
            let width = column.width();
            let ColumnValues::Memory(Values::F16(values)) = column.values else {
                panic!("float16 is the default");
            };
            let rows: Vec<u16> = column
                .row
                .iter()
                .filter(|row| **row != u32::MAX)
                .flat_map(|row| &values[*row as usize * width..][..width])
                .map(|value| value.to_bits())
                .collect();
            let present = column.row.iter().map(|row| u32::from(*row != u32::MAX));
            (present.collect(), rows)
        })
        .collect()
}

#[test]
#[cfg(unix)]
fn a_full_disk_is_an_error_that_names_the_file_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let posts = world(folder.path(), 160);
    let (whole, store) = (folder.path().join("whole"), folder.path().join("store"));
    Mmfnd::new(arguments(&posts, &whole)).succeeds();
    let program = env!("CARGO_BIN_EXE_mmfnd");
    // Files end at 12 KiB: small ones fit, a part of features does not.
    let script = "trap '' XFSZ; ulimit -f 12; exec \"$0\" \"$@\"";
    let mut bash = Command::new("bash");
    bash.args(["-c", script, program]);
    let (posts_text, store_text) = (text(&posts), text(&store));
    let given = [
        "encode", "--posts", posts_text, "--preset", "demo", "--store", store_text,
    ];
    let output = bash.args(given).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot write `") && said.contains(store_text),
        "{said}"
    );
    let store_now = Store::open(&store).unwrap();
    assert!(store_now.verify().is_ok(), "what is there is whole");
    drop(store_now);
    Mmfnd::new(given).succeeds();
    assert!(values(&store, &posts) == values(&whole, &posts));
}

#[test]
fn posts_that_are_added_are_the_only_ones_that_are_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let posts = world(folder.path(), 60);
    let store = folder.path().join("store");
    let all = read_posts(&posts).unwrap();
    let some = folder.path().join("some.parquet");
    write_posts(&some, &all[..40]).unwrap();
    Mmfnd::new(arguments(&some, &store)).succeeds();
    let ran = Mmfnd::new(arguments(&posts, &store)).succeeds();
    let line = ran
        .stdout
        .lines()
        .find(|line| line.starts_with("bert "))
        .unwrap();
    let numbers: Vec<usize> = line
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    let [contents, encoded, present] = numbers[..3] else {
        panic!("{line}");
    };
    assert_eq!(contents, encoded + present);
    assert!(encoded > 0 && encoded <= 20 && present >= 20, "{line}");
    ran.expect_stdout("20 links written");
}

#[test]
fn bad_pictures_are_counted_listed_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path(), 20);
    let good = read_posts(&world).unwrap()[0].images[0].clone();
    let bytes = fs::read(&good).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let bad = [
        write("text.jpg", b"<html>404 Not Found</html>"),
        write("empty.jpg", b""),
        write("half.png", &bytes[..bytes.len() / 2]),
        folder.path().join("absent.jpg"),
    ];
    let mut posts: Vec<Post> = bad
        .iter()
        .map(|path| post(path, std::slice::from_ref(path)))
        .collect();
    posts.push(post(&good, &[bad.to_vec(), vec![good.clone()]].concat()));
    let file = folder.path().join("bad.parquet");
    write_posts(&file, &posts).unwrap();
    let store = folder.path().join("store");
    Mmfnd::new(arguments(&file, &store))
        .succeeds()
        .expect_stdout("5 posts: 5 distinct texts, 1 distinct picture, 4 without a usable picture")
        .expect_stdout("not used: 1 file (empty file)")
        .expect_stdout("not used: 1 file (no such file)")
        .expect_stdout("not used: 1 file (not a picture)")
        .expect_stdout("not used: 1 file (truncated)")
        .expect_stdout("rejects.csv");
    let list = fs::read_to_string(store.join("rejects.csv")).unwrap();
    assert_eq!(list.lines().count(), 1 + 8, "{list}");
    let again = Mmfnd::new(arguments(&file, &store)).succeeds();
    again
        .expect_stdout("nothing to encode")
        .expect_stdout("not used: 1 file (truncated)");
}

fn post(name: &Path, images: &[PathBuf]) -> Post {
    Post {
        id: name.file_name().unwrap().to_string_lossy().into_owned(),
        text: format!("about {}", name.display()),
        images: images.to_vec(),
        label: Some(Label::Fake),
        split: Split::Train,
        event: None,
        ocr_text: None,
        cause: None,
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let posts = world(folder.path(), 20);
    let store = folder.path().join("store");
    let with = |more: &[&'static str]| {
        let all = arguments(&posts, &store);
        let all = all.into_iter().map(str::to_owned);
        Mmfnd::new(all.chain(more.iter().map(|part| (*part).to_owned())))
    };
    with(&["--only", "bret"])
        .fails()
        .expect_stderr("no encoder `bret` in the preset; it has `bert`, `clip_text`");
    with(&["--replace", "bret"])
        .fails()
        .expect_stderr("no encoder `bret`");
    let absent = folder.path().join("absent.parquet");
    Mmfnd::new(arguments(&absent, &store))
        .fails()
        .expect_stderr("absent.parquet");
    let given = [
        "encode",
        "--posts",
        text(&posts),
        "--preset",
        "dmeo",
        "--store",
        text(&store),
    ];
    Mmfnd::new(given)
        .fails()
        .expect_stderr("no such preset")
        .expect_stderr("`demo`");
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    Mmfnd::new(arguments(&posts, &file.join("store")))
        .fails()
        .expect_stderr("file/store");

    with(&["--only", "bert", "--only", "clip_text"]).succeeds();
    with(&["--only", "bert", "--values", "f32"])
        .fails()
        .expect_stderr("--replace bert");
    with(&["--only", "bert", "--values", "f32", "--replace", "bert"]).succeeds();
    with(&["--only", "bert"])
        .succeeds()
        .expect_stdout("nothing to encode");
    assert!(!store.join("encoders/resnet").exists());
}

#[test]
fn a_second_run_on_the_same_store_is_refused_while_the_first_one_writes() {
    let folder = tempfile::tempdir().unwrap();
    let posts = world(folder.path(), 20);
    let store = folder.path().join("store");
    let first = mmfnd_features::StoreWriter::open(&store).unwrap();
    Mmfnd::new(arguments(&posts, &store))
        .fails()
        .expect_stderr("another `mmfnd` is writing to the store");
    drop(first);
    Mmfnd::new(arguments(&posts, &store)).succeeds();
}

#[test]
fn of_two_runs_at_once_one_is_refused_or_waits_its_turn_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let posts = world(folder.path(), 40);
    let all = read_posts(&posts).unwrap();
    let halves = ["first.parquet", "second.parquet"].map(|name| folder.path().join(name));
    write_posts(&halves[0], &all[..25]).unwrap();
    write_posts(&halves[1], &all[15..]).unwrap();
    let mut refused = 0;
    for round in 0..3 {
        let store = folder.path().join(format!("store {round}"));
        let start = |posts: &PathBuf| {
            let mut run = Mmfnd::new(arguments(posts, &store)).command();
            run.stdout(Stdio::null()).stderr(Stdio::piped());
            run.spawn().unwrap()
        };
        let ran = halves
            .each_ref()
            .map(start)
            .map(|child| child.wait_with_output().unwrap());
        assert!(ran.iter().any(|output| output.status.success()), "{ran:?}");
        for (output, half) in ran.iter().zip(&halves) {
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(
                    said.contains("another `mmfnd` is writing to the store"),
                    "{said}"
                );
                refused += 1;
                Mmfnd::new(arguments(half, &store)).succeeds();
            }
        }
        Mmfnd::new(["features", "verify", text(&store)]).succeeds();
        Mmfnd::new(arguments(&posts, &store))
            .succeeds()
            .expect_stdout("nothing to encode: everything is in the store")
            .expect_stdout("0 links written");
    }
    eprintln!("{refused} of 6 runs were refused");
}

#[test]
fn the_doctor_finds_the_runtime_and_the_demo_preset() {
    Mmfnd::new(["doctor"])
        .succeeds()
        .expect_stdout("ONNX Runtime")
        .expect_stdout("CPUExecutionProvider")
        .expect_stdout("demo          usable");
}

#[test]
fn of_the_real_twitter_posts_each_text_and_each_picture_is_encoded_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/twitter_mediaeval");
    if !root.is_dir() {
        eprintln!(
            "`{}` is not there: not run on the real posts",
            root.display()
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (posts, store) = (
        folder.path().join("posts.parquet"),
        folder.path().join("store"),
    );
    Mmfnd::new([
        "import",
        "twitter",
        text(&root),
        "--out",
        text(folder.path()),
    ])
    .succeeds();
    let started = Instant::now();
    Mmfnd::new(arguments(&posts, &store))
        .succeeds()
        .expect_stdout("14878 posts: 13072 distinct texts, 483 distinct pictures, 0 without");
    eprintln!("encoded in {:.1} s", started.elapsed().as_secs_f64());
    let again = Mmfnd::new(arguments(&posts, &store)).succeeds();
    again
        .expect_stdout("nothing to encode")
        .expect_stdout("0 links written");
    assert!(started.elapsed() > Duration::ZERO);
}

/// A store that nobody may write to, and a program that is no administrator, who may all the same.
#[cfg(unix)]
struct ReadOnly {
    store: PathBuf,
    modes: Vec<(PathBuf, fs::Permissions)>,
}

#[cfg(unix)]
impl ReadOnly {
    fn new(store: &Path) -> Self {
        let mut paths = vec![store.to_owned()];
        let mut next = 0;
        while let Some(path) = paths.get(next).cloned() {
            next += 1;
            if path.is_dir() {
                let entries = fs::read_dir(&path).unwrap();
                paths.extend(entries.map(|entry| entry.unwrap().path()));
            }
        }
        let mode = |path: PathBuf| {
            let mode = fs::metadata(&path).unwrap().permissions();
            (path, mode)
        };
        let modes: Vec<_> = paths.into_iter().map(mode).collect();
        for (path, mode) in &modes {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::Permissions::from_mode(mode.mode() & 0o555 | 0o444);
            fs::set_permissions(path, mode).unwrap();
        }
        let store = store.to_owned();
        Self { store, modes }
    }

    fn run(&self, arguments: &[&str]) -> std::process::Output {
        use std::os::unix::fs::MetadataExt;
        let mut command = Mmfnd::new(arguments).command();
        // Of this process: the files that it makes are its own.
        if fs::metadata(&self.store).unwrap().uid() == 0 {
            // The administrator without the right to write what its owner may not; another user might not reach the
            // program, which may lie in a home folder.
            let mut bound = std::process::Command::new("setpriv");
            bound.arg("--bounding-set=-dac_override");
            bound.arg(command.get_program()).args(command.get_args());
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => bound.env(name, value),
                    None => bound.env_remove(name),
                };
            }
            if let Some(folder) = command.get_current_dir() {
                bound.current_dir(folder);
            }
            command = bound;
        }
        command.output().unwrap()
    }
}

#[cfg(unix)]
impl Drop for ReadOnly {
    /// The folder can be removed again.
    fn drop(&mut self) {
        for (path, mode) in self.modes.drain(..) {
            fs::set_permissions(path, mode).unwrap();
        }
    }
}

#[test]
#[cfg(unix)]
fn a_store_that_may_not_be_written_serves_where_nothing_is_missing_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let posts = world(folder.path(), 60);
    let some = folder.path().join("some.parquet");
    write_posts(&some, &read_posts(&posts).unwrap()[..50]).unwrap();
    let (store, run) = (folder.path().join("store"), folder.path().join("run"));
    Mmfnd::new(arguments(&posts, &store)).succeeds();
    let train = ["train", "--set", "train.epochs=1", "--out", text(&run)];
    Mmfnd::new(
        [
            &train[..],
            &["--posts", text(&posts), "--store", text(&store)],
        ]
        .concat(),
    )
    .succeeds();
    let partial = folder.path().join("partial");
    Mmfnd::new(arguments(&some, &partial)).succeeds();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let table = out.join("predictions.csv");
    let predict = |store: &Path| {
        let given = [
            "predict",
            text(&run),
            "--preset",
            "demo",
            "--posts",
            text(&posts),
        ];
        let given = [&given[..], &["--store", text(store), "--out", text(&table)]].concat();
        let output = ReadOnly::new(store).run(&given);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = predict(&partial);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("lacks the features of `bert` for"), "{said}");
    assert!(said.contains("may not be written"), "{said}");
    let (code, said) = predict(&store);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fs::read_to_string(&table).unwrap().lines().count(), 61);
    let output = ReadOnly::new(&store).run(&arguments(&posts, &store));
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing to encode"));
}
