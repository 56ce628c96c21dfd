//! `mmfnd import`: fixtures with every kind of bad input, and the real datasets where they lie beside the clone.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use mmfnd_posts::{Label, Split, read_posts};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Mmfnd, Ran};

const DEV: &str = "post_id\tpost_text\tuser_id\timage_id(s)\tusername\ttimestamp\tlabel\n";
const TEST: &str = "post_id\tpost_text\tuser_id\tusername\timage_id\ttimestamp\tlabel\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

fn import(kind: &str, source: &Path, out: &Path, more: &[&str]) -> Mmfnd {
    let (source, out) = (
        source.to_str().expect("UTF-8"),
        out.to_str().expect("UTF-8"),
    );
    Mmfnd::new([&["import", kind, source, "--out", out], more].concat())
}

fn json(out: &Path) -> Value {
    let text = fs::read(out.join("import.json")).expect("import.json");
    serde_json::from_slice(&text).expect("JSON")
}

/// Lines of rejects.csv without its header.
fn rejects(out: &Path) -> Vec<String> {
    let text = fs::read_to_string(out.join("rejects.csv")).expect("rejects.csv");
    text.lines().skip(1).map(str::to_owned).collect()
}

/// What was printed, without the names of temporary folders.
fn printed(ran: &Ran, source: &Path, out: &Path) -> String {
    let source = source.canonicalize().expect("the source is there");
    let text = ran.stdout.replace(&*source.to_string_lossy(), "ROOT");
    text.replace(&*out.to_string_lossy(), "OUT")
}

/// The shared folder of this machine, or `None` after one line that says what was not tested.
fn shared(dataset: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("MMFND_SHARED").map_or(beside, PathBuf::from);
    let root = shared.join("data").join(dataset);
    if root.is_dir() {
        return Some(root);
    }
    // Not through `eprintln`, which the test harness keeps to itself when a test passes.
    let line = format!(
        "not tested on real data: there is no `{}` (MMFND_SHARED names another place)\n",
        root.display()
    );
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error");
    None
}

#[test]
fn twitter_prints_what_was_read_and_what_leaks() {
    let dev = format!(
        "{DEV}1\tfake A http://t.co/1\tu\ta_fake_1\tn\tt\tfake\n2\tFake a http://t.co/2\tu\ta_fake_1 ,gone_2\tn\tt\tfake\n\
         3\treal\tu\ta_real_1\tn\tt\treal\n4\tgone\tu\t../../etc/passwd\tn\tt\treal\n5\tshort\n3\ttwice\tu\ta_real_1\tn\tt\treal"
    );
    let test = format!(
        "{TEST}6\t\"fake a\tu\tn\tcopy_1\tt\tfake\n7\tfake a\tu\tn\tcopy_1\tt\tmaybe\n8\tfake a\tu\tn\tcopy_1\tt\tfake\n"
    );
    let root = folder(&[
        ("devset/posts.txt", &dev),
        ("testset/posts_groundtruth.txt", &test),
        ("pictures/a_fake_1.jpg", "fake"),
        ("pictures/a_real_1.png", "real"),
        ("more/copy_1.jpeg", "fake"),
    ]);
    let out = root.path().join("out");
    let ran = import("twitter", root.path(), &out, &[]).succeeds();
    insta::assert_snapshot!(printed(&ran, root.path(), &out), @r"
    twitter from ROOT

                                    rows read                        posts
                       fake     real      all       fake     real      all
      train               2        3        5          2        1        3
      test                2        0        2          2        0        2

      rows                            9 = 5 posts + 4 rejects
      rejects                         no picture 1, too few fields 1, duplicate id 1, unknown label 1
      pictures                        5 named, 3 found, 2 missing

      Leak audit
      pictures by content             3 files, 2 different
      posts per picture               median 4, most 4 (a_fake_1.jpg)
      pictures with both labels       0
      pictures in several splits      1 (2 posts)
      texts in several splits         0
        links and case aside          1 (1 post)
      repeated texts (links aside)    train 0 % (33 %), test 0 % (0 %)
      events                          train 1, test 1; 0 in several splits; 1 of 2 have one label only
      largest event                   train a 100 %, test copy 100 %
      always answering fake           train 0.667, test 1.000
      pictures listed by fake posts   1.2 on average, 25 % list two or more
      pictures listed by real posts   1.0 on average, 0 % list two or more
      accuracy of guessing the label, over all posts, from nothing but
        the commoner label            0.800
      ! 1 picture in more than one split (2 posts outside train): results on these posts are memory
      ! 1 text in more than one split, links and case aside (1 post outside train)
      ! no picture has both labels, and one serves up to 4 posts: validation must be split by picture or event, never by post
      ! 33 % of the texts of train repeat an earlier one, links and case aside
      ! the event a is 100 % of train (3 posts)

      ROOT/out: posts.parquet, rejects.csv, import.json
    ");
    let posts = read_posts(&out.join("posts.parquet")).expect("posts");
    let ids: Vec<&str> = posts.iter().map(|post| post.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3", "6", "8"]);
    let expected = [
        "devset/posts.txt,5,4,no picture,no file for `../../etc/passwd`",
        "devset/posts.txt,6,5,too few fields,2 instead of 7",
        "devset/posts.txt,7,3,duplicate id,first on line 4 of devset/posts.txt",
        "testset/posts_groundtruth.txt,3,7,unknown label,\"`maybe`; known are fake, real and humor\"",
    ];
    assert_eq!(rejects(&out), expected);
}

#[test]
fn missing_pictures_are_dropped_or_kept() {
    let dev = format!("{DEV}1\ta\tu\tgone_1\tn\tt\tfake\n");
    let root = folder(&[("devset/posts.txt", &dev)]);
    let out = root.path().join("out");
    import("twitter", root.path(), &out, &[])
        .fails()
        .expect_stderr("no row became a post (1 reject); `");
    assert_eq!(
        rejects(&out),
        ["devset/posts.txt,2,1,no picture,no file for `gone_1`"]
    );
    import("twitter", root.path(), &out, &["--missing-image", "keep"]).succeeds();
    assert_eq!(rejects(&out), [""; 0]);
    assert_eq!(json(&out)["options"]["missing_image"], "keep");
}

#[test]
fn a_manifest_is_read_in_four_formats_and_posts_parquet_is_one_too() {
    let csv = "Text,id,label,image,split,event\n\"a, b\",1,FAKE,p/a.png| p/b.png,train,storm\n,2,0,p/a.png,val,\nc,3,,p/b.png,test,\n";
    let json_lines = concat!(
        r#"{"id": 1, "text": "a, b", "label": 1, "image": ["p/a.png", "p/b.png"], "split": "train", "event": "storm"}"#,
        "\n",
        r#"{"id": "2", "text": "", "label": "real", "image": "p/a.png", "split": "val", "event": null}"#,
        "\n",
        r#"{"id": "3", "text": "c", "label": null, "image": "p/b.png", "split": "test"}"#
    );
    let tsv = csv
        .replace("\"a, b\"", "a; b")
        .replace(',', "\t")
        .replace(';', ",");
    let root = folder(&[
        ("m.csv", csv),
        ("m.tsv", &tsv),
        ("m.jsonl", json_lines),
        ("p/a.png", "a"),
        ("p/b.png", "b"),
    ]);
    let out = root.path().join("out");
    let read = |name: &str| {
        import("manifest", &root.path().join(name), &out, &[]).succeeds();
        read_posts(&out.join("posts.parquet")).expect("posts")
    };
    let posts = read("m.csv");
    assert_eq!(posts[0].label, Some(Label::Fake));
    assert_eq!((posts[0].text.as_str(), posts[0].images.len()), ("a, b", 2));
    assert_eq!(
        (posts[1].label, posts[1].split),
        (Some(Label::Real), Split::Validation)
    );
    assert_eq!((posts[2].label, posts[2].split), (None, Split::Test));
    fs::copy(out.join("posts.parquet"), root.path().join("m.parquet")).expect("a copy");
    for name in ["m.tsv", "m.jsonl", "m.parquet"] {
        assert_eq!(read(name), posts, "{name}");
    }
}

#[test]
fn a_manifest_without_labels_or_splits_says_what_that_means() {
    let root = folder(&[
        ("a.csv", "id,text,image,spilt\n1,a,a.png,train\n"),
        (
            "b.csv",
            "id,text,image,label\n1,a,a.png,1\n2,b,a.png,\n3,c,a.png,true\n",
        ),
        ("a.png", "a"),
    ]);
    let out = root.path().join("out");
    import("manifest", &root.path().join("a.csv"), &out, &[])
        .succeeds()
        .expect_stdout("no column `label`: all posts are unlabelled, and of split test")
        .expect_stdout("columns that were not used: `spilt`");
    import("manifest", &root.path().join("b.csv"), &out, &[])
        .succeeds()
        .expect_stdout("no column `split`: all posts are of split train");
    let expected = [
        "b.csv,3,2,no label,only posts of split test may be without",
        "b.csv,4,3,unknown label,\"`true`; known are 1, fake, rumor and 0, real, non-rumor\"",
    ];
    assert_eq!(rejects(&out), expected);
}

#[test]
fn a_manifest_without_pictures_is_for_those_who_keep_posts_without() {
    let root = folder(&[("m.tsv", "id\ttext\tlabel\n1\ta\t0\n2\t \t1\n")]);
    let (file, out) = (root.path().join("m.tsv"), root.path().join("out"));
    import("manifest", &file, &out, &[])
        .fails()
        .expect_stderr("column `image` of");
    import("manifest", &file, &out, &["--missing-image", "keep"])
        .succeeds()
        .expect_stdout("no column `image`: posts without pictures");
    assert_eq!(
        rejects(&out),
        ["m.tsv,3,2,neither text nor picture,the row names none"]
    );
}

#[test]
fn a_manifest_takes_pictures_from_outside_only_when_asked() {
    let root = folder(&[
        (
            "in/m.csv",
            "id,text,image\n1,a,../outside.png\n2,b,/etc/passwd\n",
        ),
        ("outside.png", "a"),
    ]);
    let (file, out) = (root.path().join("in/m.csv"), root.path().join("out"));
    import("manifest", &file, &out, &[])
        .fails()
        .expect_stderr("no row became a post (2 rejects)");
    let expected = [
        "m.csv,2,1,path leaves the folder,`../outside.png`; `--allow-outside` permits it",
        "m.csv,3,2,path leaves the folder,`/etc/passwd`; `--allow-outside` permits it",
    ];
    assert_eq!(rejects(&out), expected);
    import("manifest", &file, &out, &["--allow-outside"]).succeeds();
    assert!(
        read_posts(&out.join("posts.parquet")).expect("posts")[0].images[0]
            .ends_with("outside.png")
    );
}

#[test]
fn bad_sources_are_errors_that_name_the_file_and_the_remedy() {
    let root = folder(&[
        ("empty.csv", ""),
        ("columns.csv", "id;text;image\n1;a;b\n"),
        ("note.txt", "id"),
        ("fake.parquet", "this is no Parquet file"),
        ("wide.csv", "i\0d\0,\0t\0e\0x\0t\0\n\0"),
    ]);
    let out = root.path().join("out");
    for (name, expected) in [
        (
            "empty.csv",
            "empty.csv` is empty; expected a manifest with the columns id, text, image",
        ),
        ("columns.csv", "column `id` of"),
        (
            "columns.csv",
            "found only id;text;image, expected a manifest with the columns id, text",
        ),
        (
            "note.txt",
            "note.txt` has no known ending; use `.csv`, `.tsv`, `.jsonl`",
        ),
        ("fake.parquet", "fake.parquet` cannot be read as Parquet"),
        (
            "wide.csv",
            "wide.csv` is UTF-16LE, not UTF-8; expected a manifest",
        ),
        ("none.csv", "there is no `"),
    ] {
        import("manifest", &root.path().join(name), &out, &[])
            .fails()
            .expect_stderr(expected);
    }
    import("twitter", root.path(), &out, &[])
        .fails()
        .expect_stderr("posts_groundtruth.txt");
    import("weibo", root.path(), &out, &[])
        .fails()
        .expect_stderr("nonrumor_images");
}

#[test]
fn an_output_folder_that_is_a_file_is_named_and_left_alone() {
    let root = folder(&[("m.csv", "id,text,image\n"), ("out", "mine")]);
    let out = root.path().join("out");
    import("manifest", &root.path().join("m.csv"), &out, &[])
        .fails()
        .expect_stderr("out`; check that its folder exists");
    assert_eq!(fs::read(&out).expect("still there"), b"mine");
}

#[test]
fn a_failed_import_leaves_the_former_one_as_it_was() {
    let root = folder(&[("m.csv", "id,text,image\n1,a,a.png\n"), ("a.png", "a")]);
    let (file, out) = (root.path().join("m.csv"), root.path().join("out"));
    import("manifest", &file, &out, &[]).succeeds();
    let files = ["posts.parquet", "rejects.csv", "import.json"];
    let bytes = || files.map(|name| fs::read(out.join(name)).expect("a file"));
    let before = bytes();
    fs::write(&file, "").expect("a file");
    import("manifest", &file, &out, &[]).fails();
    assert_eq!(bytes(), before);
}

#[test]
fn the_real_twitter_set_has_the_known_numbers() {
    let Some(root) = shared("twitter_mediaeval") else {
        return;
    };
    let out = tempfile::tempdir().expect("a temporary folder");
    import("twitter", &root, out.path(), &[])
        .succeeds()
        .expect_stdout("17,857 = 14,878 posts + 2,979 rejects")
        .expect_stdout("the event sandy is 74 % of train");
    let counts = &json(out.path())["counts"];
    assert_eq!(
        counts["read"]["train"],
        serde_json::json!({"fake": 9404, "real": 6225})
    );
    assert_eq!(
        counts["read"]["test"],
        serde_json::json!({"fake": 1230, "real": 998})
    );
    assert_eq!(
        counts["rejects_by_reason"],
        serde_json::json!({"no picture": 2979})
    );
    let posts = read_posts(&out.path().join("posts.parquet")).expect("posts");
    let of = |split| posts.iter().filter(|post| post.split == split).count();
    assert_eq!((of(Split::Train), of(Split::Test)), (13_761, 1_117));
    assert!(
        posts
            .iter()
            .all(|post| !post.images.is_empty() && post.event.is_some())
    );
    let audit = &json(out.path())["audit"];
    assert_eq!(audit["texts"]["distinct"], 13_072);
    assert_eq!(audit["pictures"]["both_labels"]["distinct"], 0);
    assert_eq!(audit["pictures"]["most_posts"], 1_051);
}

#[test]
fn the_real_weibo_set_has_the_known_numbers() {
    let Some(root) = shared("weibo") else {
        return;
    };
    let out = tempfile::tempdir().expect("a temporary folder");
    import("weibo", &root, out.path(), &["--missing-image", "keep"])
        .succeeds()
        .expect_stdout("100 % of the real posts list two or more pictures");
    let counts = &json(out.path())["counts"];
    assert_eq!(counts["rows"], 9_527);
    assert_eq!(
        counts["read"]["train"],
        serde_json::json!({"fake": 3748, "real": 3783})
    );
    assert_eq!(
        counts["read"]["test"],
        serde_json::json!({"fake": 1000, "real": 996})
    );
}
