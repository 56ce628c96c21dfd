//! No command replaces what it reads, nor what another command wrote.

use std::fs;
use std::path::Path;

use crate::program::Mmfnd;
use crate::train::{train, world};

#[test]
fn predictions_and_exports_do_not_replace_what_they_were_made_from() {
    let world = world(64);
    train(&world, "run", &["--set", "train.epochs=1"]).succeeds();
    let path = |name: &str| world.path(name).display().to_string();
    let (posts, store, run) = (path("posts.parquet"), path("store"), path("run"));
    std::os::unix::fs::symlink(&posts, path("link.parquet")).unwrap();
    let inside = path("run/predictions.parquet");
    let detour = path("store/../posts.parquet");
    let kept = [&posts, &inside].map(|file| fs::read(file).unwrap());
    for out in [&posts, &detour, &path("link.parquet"), &inside] {
        let predict = ["predict", &run, "--posts", &posts, "--store", &store];
        Mmfnd::new(predict.into_iter().chain(["--out", out]))
            .fails()
            .expect_stderr(&format!("`{out}` would be replaced"));
    }
    for out in [&posts, &detour] {
        let export = ["features", "export", &store, "--posts", &posts];
        Mmfnd::new(export.into_iter().chain(["--out", out]))
            .fails()
            .expect_stderr(&format!("`{out}` would be replaced"));
    }
    let file = [&posts, &inside].map(|file| fs::read(file).unwrap());
    assert!(kept == file, "a file was replaced");
    let new = path("store/p.csv");
    let predict = ["predict", &run, "--posts", &posts, "--store", &store];
    Mmfnd::new(predict.into_iter().chain(["--out", &new])).succeeds();
}

/// What a folder holds, by name.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.path().is_file());
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, fs::read(entry.path()).unwrap())
    };
    let mut all: Vec<_> = files.map(read).collect();
    all.sort();
    all
}

#[test]
fn an_import_does_not_replace_its_source_nor_files_of_others() {
    let world = world(16);
    let path = |name: &str| world.path(name).display().to_string();
    let import = |file: &str, out: &str| {
        let keep = ["--missing-image", "keep", "--out", out];
        let arguments = ["import", "manifest", file].into_iter().chain(keep);
        Mmfnd::new(arguments)
    };
    let (data, other) = (path("data"), path("other"));
    fs::create_dir(&data).unwrap();
    fs::copy(path("posts.parquet"), path("data/posts.parquet")).unwrap();
    let source = path("data/posts.parquet");
    let before = contents(Path::new(&data));
    import(&source, &data)
        .fails()
        .expect_stderr("`posts.parquet`");
    assert!(before == contents(Path::new(&data)));
    import(&source, &other).succeeds();
    import(&source, &other).succeeds(); // its own files are replaced, as ever
    let imported = format!("{other}/posts.parquet");
    let before = contents(Path::new(&other));
    import(&imported, &other)
        .fails()
        .expect_stderr("would be replaced");
    assert!(before == contents(Path::new(&other)));
    let before = contents(&world.path("store"));
    let ran = import(&source, &path("store")).fails();
    ran.expect_stderr("is a feature store (it holds `store.json`)");
    assert!(before == contents(&world.path("store")));
}

#[test]
fn a_world_and_a_store_are_not_written_into_folders_that_are_something_else() {
    let world = world(16);
    let path = |name: &str| world.path(name).display().to_string();
    let here = world.path("posts.parquet");
    let here = here.parent().unwrap();
    let before = contents(here);
    let out = here.to_str().unwrap();
    Mmfnd::new(["world", "--posts", "4", "--out", out])
        .fails()
        .expect_stderr("`posts.parquet`");
    fs::write(world.path("rejects.csv"), "mine").unwrap();
    let encode = ["encode", "--preset", "demo", "--store", out, "--posts"];
    Mmfnd::new(encode.into_iter().chain([path("posts.parquet").as_str()]))
        .fails()
        .expect_stderr("`rejects.csv`");
    fs::remove_file(world.path("rejects.csv")).unwrap();
    assert!(before == contents(here));
    let demo = path("demo");
    fs::create_dir_all(world.path("demo/posts")).unwrap();
    fs::copy(path("posts.parquet"), path("demo/posts/posts.parquet")).unwrap();
    Mmfnd::new(["demo", "--posts", "200", "--out", &demo])
        .fails()
        .expect_stderr("`posts.parquet`");
    assert_eq!(
        fs::read(path("posts.parquet")).unwrap(),
        fs::read(path("demo/posts/posts.parquet")).unwrap()
    );
}

#[test]
fn the_cache_of_what_was_read_in_pictures_is_not_the_file_of_posts() {
    let world = world(16);
    let posts = world.path("posts.parquet").display().to_string();
    let before = fs::read(&posts).unwrap();
    Mmfnd::new(["ocr", "--posts", &posts, "--lang", "eng", "--cache", &posts])
        .fails()
        .expect_stderr("would be replaced");
    assert_eq!(fs::read(&posts).unwrap(), before);
}

#[test]
fn a_world_larger_than_memory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("world");
    let world = [
        "world",
        "--posts",
        "99999999999",
        "--out",
        out.to_str().unwrap(),
    ];
    let output = Mmfnd::new(world).command().output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("from 1 to 1000000"), "{said}");
    assert!(!out.exists());
}
