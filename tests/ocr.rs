//! `mmfnd ocr` and `encode --with-ocr`, with a stand-in for Tesseract: what is printed, written, refused, and survives a kill.

#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mmfnd_demo_world::{WorldOptions, generate};
use mmfnd_posts::{Post, read_posts, write_posts};

use crate::program::Mmfnd;

const HEAD: &str = "level\\tpage_num\\tblock_num\\tpar_num\\tline_num\\tword_num\\tleft\\ttop\\twidth\\theight\\tconf\\ttext\\n";

/// A program that finds `SALE` on every page, after `seconds`; it counts its calls in the file `calls`.
fn fake(folder: &Path, seconds: &str) -> PathBuf {
    let path = folder.join("tesseract");
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in\n--version) echo 'tesseract 9.9'; exit;;\n--list-langs) printf 'Languages:\\neng\\n'; exit;;\nesac\ncat > /dev/null\nsleep {seconds}\necho >> '{}'\nprintf '{HEAD}5\\t1\\t1\\t1\\t1\\t1\\t0\\t0\\t9\\t9\\t91\\tSALE\\n'\n",
        folder.join("calls").display()
    );
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

fn calls(folder: &Path) -> usize {
    fs::read(folder.join("calls")).map_or(0, |bytes| bytes.len())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `mmfnd ocr` on a folder's posts with the program and the cache in it.
fn ocr(folder: &Path, more: &[&str]) -> Mmfnd {
    let file = |name: &str| text(&folder.join(name)).to_owned();
    let given = [
        ["ocr".into(), "--posts".into(), file("posts.parquet")],
        ["--lang".into(), "eng".into(), "--cache".into()],
        [file("ocr.jsonl"), "--tesseract".into(), file("tesseract")],
    ];
    let more = more.iter().map(|part| (*part).to_owned());
    Mmfnd::new(given.concat().into_iter().chain(more))
}

fn world(folder: &Path, posts: usize) -> Vec<Post> {
    generate(&WorldOptions { seed: 5, posts }, folder).unwrap()
}

#[test]
fn the_text_is_written_into_the_posts_and_bert_sees_it_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut posts = world(folder, 20);
    let bad = folder.join("404.jpg");
    fs::write(&bad, "<html>").unwrap();
    posts[0].images = vec![bad];
    let file = folder.join("posts.parquet");
    write_posts(&file, &posts).unwrap();
    fake(folder, "0");

    let store = folder.join("store");
    let encode = |more: &[&'static str]| {
        let given = ["encode", "--posts", text(&file), "--preset", "demo"];
        let given = given
            .into_iter()
            .chain(["--only", "bert", "--store", text(&store)]);
        Mmfnd::new(given.chain(more.iter().copied()).map(str::to_owned))
    };
    encode(&["--with-ocr"])
        .fails()
        .expect_stderr("mmfnd ocr --posts");
    ocr(folder, &[])
        .succeeds()
        .expect_stdout("20 posts: text in the picture of 19, none in that of 0, 1 without")
        .expect_stdout("not read: 1 file (not a picture")
        .expect_stdout("19 distinct pictures read now, 0 known from earlier");
    let read = read_posts(&file).unwrap();
    assert_eq!(read[0].ocr_text, None);
    assert_eq!(read[1].ocr_text.as_deref(), Some("SALE"));
    let list = fs::read_to_string(folder.join("ocr-rejects.csv")).unwrap();
    assert!(list.starts_with("post_id,path,reason\n") && list.contains("404.jpg"));

    encode(&[])
        .succeeds()
        .expect_stderr("the text in the pictures of 19 posts is not used");
    let inspect = || Mmfnd::new(["features", "inspect", text(&store), "--json"]).succeeds();
    let rows = |stdout: &str| {
        let seen: serde_json::Value = serde_json::from_str(stdout).unwrap();
        seen["encoders"][0]["rows"].as_u64().unwrap()
    };
    let without = rows(&inspect().stdout);
    encode(&["--with-ocr"])
        .succeeds()
        .expect_stdout("19 links written");
    assert_eq!(rows(&inspect().stdout), without + 19);
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    world(folder, 24);
    let before = fs::read(folder.join("posts.parquet")).unwrap();
    fake(folder, "0.05");
    let mut run = ocr(folder, &["--threads", "2"]).command();
    let run = run.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = run.spawn().unwrap();
    while calls(folder) < 8 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(fs::read(folder.join("posts.parquet")).unwrap(), before);
    let kept = fs::read_to_string(folder.join("ocr.jsonl")).unwrap();
    let kept = kept.lines().count();
    assert!((5..24).contains(&kept), "{kept}");
    let ran = ocr(folder, &[]).succeeds();
    let expected = format!("{} distinct pictures read now, {kept} known", 24 - kept);
    ran.expect_stdout(&expected);
    let posts = read_posts(&folder.join("posts.parquet")).unwrap();
    assert!(
        posts
            .iter()
            .all(|post| post.ocr_text.as_deref() == Some("SALE"))
    );
    ocr(folder, &[])
        .succeeds()
        .expect_stdout("0 distinct pictures read now, 24 known from earlier");
}

#[test]
fn the_posts_may_be_written_elsewhere_and_their_pictures_are_still_found() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    world(folder, 5);
    let before = fs::read(folder.join("posts.parquet")).unwrap();
    fake(folder, "0");
    let out = folder.join("read/posts.parquet");
    ocr(folder, &["--out", text(&out)]).succeeds();
    assert_eq!(fs::read(folder.join("posts.parquet")).unwrap(), before);
    assert!(read_posts(&out).unwrap()[0].images[0].is_file());

    // a picture of the posts, or whatever else is no file of posts
    let picture = read_posts(&out).unwrap()[0].images[0].clone();
    let before = fs::read(&picture).unwrap();
    ocr(folder, &["--out", text(&picture)])
        .fails()
        .expect_stderr("is no file of posts and would be replaced");
    assert!(before == fs::read(&picture).unwrap());
}

#[test]
fn without_the_program_or_the_language_the_line_that_installs_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    world(folder, 5);
    ocr(folder, &[])
        .fails()
        .expect_stderr("`apt-get install tesseract-ocr`");
    fake(folder, "0");
    let file = folder.join("posts.parquet");
    let program = folder.join("tesseract");
    let given = ["ocr", "--posts", text(&file), "--tesseract", text(&program)];
    Mmfnd::new(given.into_iter().chain(["--lang", "chi_sim+eng"]))
        .fails()
        .expect_stderr("no language `chi_sim`, only `eng`")
        .expect_stderr("`apt-get install tesseract-ocr tesseract-ocr-chi-sim`");
}
