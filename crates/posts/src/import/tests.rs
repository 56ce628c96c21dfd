//! Properties that hold for any input: no reader panics, every row is a post or a reject, manifests survive a round
//! trip.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::{Label, Post, Split, TableColumn, write_table};

const DEV: &[u8] = b"post_id\tpost_text\tuser_id\timage_id(s)\tusername\ttimestamp\tlabel\n";
const HEAD: &str = "1|n|url|url|2012|true|1|2|3|4|5|6|7|8|web";

fn keep() -> Options {
    Options {
        missing_image: MissingImage::Keep,
        ..Options::default()
    }
}

/// Any bytes, or lines that are nearly right.
fn bytes(lines: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => prop::sample::select(lines).prop_map(|line| line.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    let end = prop::sample::select(vec!["\n", "\r\n", "\n\n", ""]);
    prop::collection::vec((line, end), 0..12).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|(line, end)| [line, end.as_bytes().to_vec()].concat())
            .collect()
    })
}

fn adds_up(import: &Import) -> bool {
    let counts = &import.counts;
    let reasons: usize = counts.rejects_by_reason.values().sum();
    counts.rows == import.posts.len() + import.rejects.len() && reasons == import.rejects.len()
}

fn filled_lines(data: &[u8]) -> usize {
    let lines = lines::lines(data);
    lines.iter().filter(|line| !line.is_blank()).count()
}

#[test]
fn a_text_of_hundreds_of_megabytes_is_a_reject_and_one_of_some_is_read_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.csv");
    let texts = [16 << 20, (16 << 20) + 1, 100 << 20].map(|bytes| "a".repeat(bytes));
    let rows = texts
        .iter()
        .zip(1..)
        .map(|(text, id)| format!("{id},{text}\n"));
    fs::write(&path, "id,text\n".to_owned() + &rows.collect::<String>())
        .expect("it can be written");
    let import = manifest(&path, &keep()).expect("it can be read");
    let rejects = import.rejects.iter();
    let rejects: Vec<_> = rejects.map(|r| (r.reason, r.detail.as_str())).collect();
    let expected = [
        (
            Reason::TextTooLong,
            "16777217 bytes; at most 16777216 are taken",
        ),
        (
            Reason::TextTooLong,
            "104857600 bytes; at most 16777216 are taken",
        ),
    ];
    assert_eq!(rejects, expected);
    import.write(folder.path()).expect("it can be written");
    let posts = crate::read_posts(&folder.path().join("posts.parquet")).expect("it can be read");
    assert!(posts[0].text == texts[0] && posts.len() == 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_line_of_a_twitter_file_is_a_post_or_a_reject(rows in bytes(&[
        "1\ttext\tu\ta_1\tn\tt\tfake", "2\ttext\tu\ta_1, b_2\tn\tt\treal", "3\t\tu\t\tn\tt\thumor",
        "4\ttext\tu\ta_1\tn\tt", "\t\t\t\t\t\t", "5\t\"\tu\t../..\tn\tt\tfake",
    ])) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("devset")).expect("it can be written");
        fs::write(folder.path().join("devset/posts.txt"), [DEV, &rows].concat()).expect("it can be written");
        fs::write(folder.path().join("a_1.png"), b"a").expect("it can be written");
        for options in [Options::default(), keep()] {
            let import = twitter(folder.path(), &options).expect("it can be read");
            prop_assert!(adds_up(&import));
            prop_assert_eq!(import.counts.rows, filled_lines(&rows));
        }
    }

    #[test]
    fn no_line_of_a_weibo_file_is_lost(rumors in bytes(&[HEAD, "http://h/a.jpg|null", "text", "", "2|short"])) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["train_rumor.txt", "train_nonrumor.txt", "test_rumor.txt", "test_nonrumor.txt"] {
            fs::write(folder.path().join(name), "x\n").expect("it can be written");
        }
        let data = [HEAD.as_bytes(), b"\nnull\ntext\n", &rumors].concat();
        fs::write(folder.path().join("train_rumor.txt"), data).expect("it can be written");
        let import = weibo(folder.path(), &keep()).expect("it can be read");
        prop_assert!(adds_up(&import));
        let has_record = import.posts.iter().any(|post| post.id == "1");
        prop_assert!(has_record);
    }

    #[test]
    fn manifests_of_any_bytes_add_up(
        data in bytes(&["id,text,image,label,split", "1,a,,fake,train", "id\ttext\timage", "1\ta\t",
            r#"{"id": "1", "text": "a", "image": ["x.png"], "label": 1}"#, "{}", "1,\"a", "2,b\",,real,test"]),
        ending in prop::sample::select(&["csv", "tsv", "jsonl", "parquet"][..]),
    ) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("m").with_extension(ending);
        fs::write(&path, data).expect("it can be written");
        if let Ok(import) = manifest(&path, &keep()) {
            prop_assert!(adds_up(&import));
        }
    }

    #[test]
    fn manifests_survive_a_round_trip(
        posts in prop::collection::vec(any_post(), 1..8),
        ending in prop::sample::select(&["csv", "tsv", "jsonl", "parquet"][..]),
    ) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path().canonicalize().expect("it is there");
        let posts: Vec<Post> = posts.into_iter().enumerate().map(|(id, post)| Post {
            id: format!("p{id}"),
            images: post.images.iter().map(|name| folder.join(name)).collect(),
            // What TSV has no way to write: tabs and line ends.
            text: if ending == "tsv" { post.text.replace(['\t', '\r', '\n'], " ") } else { post.text },
            ..post
        }).collect();
        posts.iter().flat_map(|post| &post.images).for_each(|path| fs::write(path, b"x").expect("it can be written"));
        let path = folder.join("m").with_extension(ending);
        write_manifest(&path, &posts);
        let import = manifest(&path, &Options::default()).expect("it can be read");
        prop_assert_eq!(import.rejects, []);
        prop_assert_eq!(import.posts, posts);
    }
}

prop_compose! {
    fn any_post()(
        text in "[ -~é転\\t\\n\\r\"]{0,30}",
        images in prop::collection::btree_set("[a-z][a-z0-9 é.-]{0,6}[a-z]", 1..4),
        label in prop::sample::select(vec![Label::Fake, Label::Real]),
        split in prop::sample::select(vec![Split::Train, Split::Validation, Split::Test]),
        event in prop::option::of("[a-z]{1,8}"),
    ) -> Post {
        let images = images.into_iter().map(|name| format!("{name}.png").into()).collect();
        Post { id: String::new(), text, images, label: Some(label), split, event, ocr_text: None, cause: None }
    }
}

fn write_manifest(path: &Path, posts: &[Post]) {
    let text = |get: &dyn Fn(&Post) -> String| {
        posts.iter().map(|post| Some(get(post))).collect::<Vec<_>>()
    };
    let images = |post: &Post| {
        let names = post
            .images
            .iter()
            .map(|path| path.file_name().expect("a file").to_str().expect("UTF-8"));
        names.collect::<Vec<_>>().join("|")
    };
    let columns = [
        (
            "label",
            text(&|post| post.label.expect("a label").to_string()),
        ),
        ("id", text(&|post| post.id.clone())),
        ("text", text(&|post| post.text.clone())),
        ("image", text(&images)),
        ("split", text(&|post| post.split.to_string())),
        (
            "event",
            posts.iter().map(|post| post.event.clone()).collect(),
        ),
    ];
    if path.extension().expect("an ending") != "tsv" {
        return write_table(
            path,
            &columns.map(|(name, values)| (name, TableColumn::Text(values))),
        )
        .expect("it can be read");
    }
    let mut lines = columns.each_ref().map(|(name, _)| *name).join("\t");
    for row in 0..posts.len() {
        let cells = columns
            .each_ref()
            .map(|(_, values)| values[row].clone().unwrap_or_default());
        lines = lines + "\n" + &cells.join("\t");
    }
    fs::write(path, lines).expect("it can be written");
}
