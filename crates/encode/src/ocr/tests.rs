//! The whole of text recognition with a stand-in for Tesseract, and with Tesseract itself where it is installed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;
use crate::tests::fakes::{picture, post};

/// Writes a program `tesseract` of version 9.9 with the languages eng and chi_sim; `body` is what it does with a page.
pub fn fake(folder: &Path, body: &str) -> PathBuf {
    let path = folder.join("tesseract");
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in\n--version) echo 'tesseract 9.9'; exit;;\n--list-langs) printf 'List of available languages (2):\\neng\\nchi_sim\\n'; exit;;\nesac\n{body}\n"
    );
    // Written by another process: while this one has a file open for writing, a child of another test's may inherit
    // that, and a program that is open for writing cannot be started.
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
        .arg(&path);
    let mut shell = shell.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = shell.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).unwrap();
    drop(stdin);
    assert!(shell.wait().unwrap().success());
    path
}

/// Takes a page, notes that it did, and finds the word `word`.
fn finds(folder: &Path, word: &str) -> PathBuf {
    let calls = folder.join("calls");
    let head = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext";
    fake(
        folder,
        &format!(
            "cat > /dev/null\necho \"$OMP_THREAD_LIMIT $*\" >> '{}'\nprintf '{head}\\n5\t1\t1\t1\t1\t1\t0\t0\t9\t9\t91.2\t{word}\\n'",
            calls.display()
        ),
    )
}

fn calls(folder: &Path) -> usize {
    let said = fs::read_to_string(folder.join("calls")).unwrap_or_default();
    assert!(
        said.lines()
            .all(|line| line.starts_with("1 stdin stdout -l ")),
        "{said}"
    );
    // The first call of a run is the trial with a blank page.
    said.lines().count()
}

fn options(folder: &Path, languages: &str) -> OcrOptions {
    OcrOptions {
        program: folder.join("tesseract"),
        threads: 3,
        cache: folder.join("cache/ocr.jsonl"),
        ..OcrOptions::new(languages)
    }
}

fn read(posts: &mut [Post], options: &OcrOptions) -> OcrSummary {
    read_pictures(posts, options, &|_, _| {}).unwrap()
}

#[test]
fn each_distinct_picture_is_read_once_and_never_again_with_the_same_languages() {
    let folder = tempfile::tempdir().unwrap();
    finds(folder.path(), "SALE");
    let (a, b) = (picture(folder.path(), 1), picture(folder.path(), 2));
    let copy = folder.path().join("copy.png");
    fs::copy(&a, &copy).unwrap();
    let mut posts = vec![
        post("1", "x", &[&a]),
        post("2", "y", &[&b]),
        post("3", "z", &[&copy]),
        post("4", "z", &[&a, &b]),
        post("5", "no picture", &[]),
    ];
    posts[4].ocr_text = Some("typed by a person".into());
    let eng = options(folder.path(), "eng");
    let summary = read(&mut posts, &eng);
    assert_eq!((summary.read, summary.cached), (2, 0));
    assert_eq!(
        (summary.posts_with_text, summary.posts_without_picture),
        (4, 1)
    );
    assert!(
        posts[..4]
            .iter()
            .all(|post| post.ocr_text.as_deref() == Some("SALE"))
    );
    assert_eq!(posts[4].ocr_text.as_deref(), Some("typed by a person"));
    assert_eq!(calls(folder.path()), 1 + 2);

    let summary = read(&mut posts, &eng);
    assert_eq!((summary.read, summary.cached), (0, 2));
    assert_eq!(calls(folder.path()), 1 + 2 + 1);

    let summary = read(&mut posts, &options(folder.path(), "chi_sim+eng"));
    assert_eq!((summary.read, summary.cached), (2, 0), "other languages");
    fs::write(&a, fs::read(&b).unwrap()).unwrap();
    let summary = read(&mut posts, &eng);
    assert_eq!(
        (summary.read, summary.cached),
        (0, 2),
        "a file that became another picture has that one's text"
    );
}

#[test]
fn pictures_that_cannot_be_read_are_listed_and_the_next_one_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    finds(folder.path(), "SALE");
    let good = picture(folder.path(), 1);
    let bad = folder.path().join("404.jpg");
    fs::write(&bad, "<html>").unwrap();
    let absent = folder.path().join("absent.jpg");
    let mut posts = vec![
        post("1", "x", &[&bad, &absent, &good]),
        post("2", "x", &[&bad]),
    ];
    let summary = read(&mut posts, &options(folder.path(), "eng"));
    let ocr: Vec<_> = posts.iter().map(|post| post.ocr_text.as_deref()).collect();
    assert_eq!(ocr, [Some("SALE"), None]);
    let rejects: Vec<_> = summary
        .rejects
        .iter()
        .map(|r| (&*r.post_id, &r.path))
        .collect();
    assert_eq!(rejects, [("1", &bad), ("1", &absent)], "each file once");
    assert!(summary.rejects[0].reason.contains("not a picture"));
    assert_eq!(summary.posts_without_picture, 1);
}

#[test]
fn a_picture_on_which_tesseract_fails_is_a_reject_and_is_tried_again_the_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let head = "level\tpage_num\t";
    // The pages of the larger picture are longer than the blank one of the trial.
    fake(
        folder.path(),
        &format!(
            "test $(wc -c) -lt 50000 || {{ echo 'Image too large' >&2; exit 3; }}; echo '{head}'"
        ),
    );
    let mut posts = vec![post("1", "x", &[&picture(folder.path(), 1)])];
    let large = folder.path().join("large.png");
    ::image::RgbImage::new(100, 100).save(&large).unwrap();
    posts.push(post("2", "x", &[&large]));
    let eng = options(folder.path(), "eng");
    let summary = read(&mut posts, &eng);
    assert_eq!((summary.read, summary.rejects.len()), (1, 1));
    let reason = &summary.rejects[0].reason;
    assert!(
        reason.contains("Tesseract failed") && reason.contains("Image too large"),
        "{reason}"
    );
    finds(folder.path(), "SALE");
    let summary = read(&mut posts, &eng);
    assert_eq!((summary.read, summary.cached), (1, 1));
    assert_eq!(posts[1].ocr_text.as_deref(), Some("SALE"));
}

#[test]
fn a_cache_that_cannot_be_written_ends_the_run_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    finds(folder.path(), "SALE");
    let mut options = options(folder.path(), "eng");
    options.cache = picture(folder.path(), 1).join("ocr.jsonl");
    let mut posts = [post("1", "x", &[&picture(folder.path(), 2)])];
    let error = read_pictures(&mut posts, &options, &|_, _| {}).unwrap_err();
    assert!(error.to_string().contains("1.png"), "{error}");
    assert_eq!(posts[0].ocr_text, None);
}

#[test]
fn the_real_tesseract_reads_the_banners_of_the_demo_world() {
    let real = OcrOptions::new("eng");
    if let Err(error) = check_ocr(&real) {
        eprintln!("not run with the real Tesseract: {error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let world = mmfnd_demo_world::WorldOptions {
        seed: 4,
        posts: 120,
    };
    let posts = mmfnd_demo_world::generate(&world, folder.path()).unwrap();
    let facts = fs::read_to_string(folder.path().join("facts.jsonl")).unwrap();
    let drawn = facts.lines().map(|line| {
        let facts: serde_json::Value = serde_json::from_str(line).unwrap();
        facts["overlay"].as_str().map(str::to_owned)
    });
    // All pictures with a banner, and a few without: each takes a tenth of a second and more.
    let mut others = 0;
    let mut keep = |drawn: &Option<String>| {
        others += usize::from(drawn.is_none());
        drawn.is_some() || others <= 20
    };
    let (drawn, mut posts): (Vec<_>, Vec<_>) =
        drawn.zip(posts).filter(|(drawn, _)| keep(drawn)).unzip();
    let options = OcrOptions {
        cache: folder.path().join("ocr.jsonl"),
        ..real
    };
    read(&mut posts, &options);
    let (mut exact, mut banners, mut invented) = (0, 0, 0);
    for (post, drawn) in posts.iter().zip(&drawn) {
        let found = post.ocr_text.as_deref().unwrap();
        match drawn {
            Some(drawn) => {
                banners += 1;
                exact += usize::from(found == drawn);
            }
            None => invented += usize::from(!found.is_empty()),
        }
    }
    eprintln!(
        "{exact} of {banners} banners read exactly; text seen in {invented} pictures without"
    );
    assert!(banners >= 15 && 5 * exact >= 4 * banners);
    assert!(invented <= 3);
}
