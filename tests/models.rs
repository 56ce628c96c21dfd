//! `mmfnd models`: what is listed, what is compared, and the remedy.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::Mmfnd;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A copy of the demo encoders with their preset; returns the preset's file.
fn copied(folder: &Path) -> PathBuf {
    for part in ["demo", "presets"] {
        fs::create_dir(folder.join(part)).unwrap();
    }
    for entry in fs::read_dir(Path::new(ROOT).join("models/demo")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = path.file_name().unwrap();
            fs::copy(&path, folder.join("demo").join(name)).unwrap();
        }
    }
    let preset = folder.join("presets/demo.toml");
    fs::copy(Path::new(ROOT).join("models/presets/demo.toml"), &preset).unwrap();
    preset
}

#[test]
fn what_is_there_is_listed_and_how_to_get_what_is_not() {
    let ran = Mmfnd::new(["models", "list"]).succeeds();
    let ran = ran.expect_stdout("demo           8 files, ");
    let ran = ran.expect_stdout("encoders bert, clip_text, clip_image, resnet");
    for name in ["twitter", "weibo", "weibo-huge"] {
        if !Path::new(ROOT)
            .join(format!("models/presets/{name}.toml"))
            .exists()
        {
            let remedy = format!("`python3 models/export.py {name}`");
            assert!(ran.stdout.contains(&remedy), "no {remedy} in {ran:?}");
        }
    }
}

#[test]
fn a_preset_is_checked_file_by_file() {
    Mmfnd::new(["models", "check", "demo"])
        .succeeds()
        .expect_stdout("bert.onnx` as it should be")
        .expect_stdout("preset `demo`: 8 files, all as they should be");
    let folder = tempfile::tempdir().unwrap();
    let preset = copied(folder.path());
    let check = || Mmfnd::new(["models", "check", preset.to_str().unwrap()]);
    check().succeeds();
    fs::remove_file(folder.path().join("demo/resnet.onnx")).unwrap();
    let words = folder.path().join("demo/bert.tokenizer.json");
    let text = fs::read_to_string(&words).unwrap();
    fs::write(&words, text.replacen('a', "b", 1)).unwrap();
    check()
        .fails()
        .expect_stdout("resnet.onnx` missing")
        .expect_stdout("bert.tokenizer.json` not the file that the preset means")
        .expect_stderr("2 of its 8 files are missing or wrong; the demo encoders are part of");
}

#[test]
fn a_preset_that_has_to_be_made_first_says_how() {
    let file = Path::new(ROOT).join("models/presets/weibo-huge-int8.toml");
    if file.exists() {
        eprintln!("`{}` is there: not run", file.display());
        return;
    }
    Mmfnd::new(["models", "check", "weibo-huge-int8"])
        .fails()
        .expect_stderr("no such preset")
        .expect_stderr("`python3 models/export.py weibo-huge --precision int8`");
    let ran = Mmfnd::new(["models", "check", "dmeo"]).fails();
    assert!(!ran.stderr.contains("export.py"), "{ran:?}");
}

#[test]
fn nothing_is_reported_when_nobody_reads() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Mmfnd::new(["models", "list"]).command();
    let output = command.stdout(writer).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(128 + 13));
}
