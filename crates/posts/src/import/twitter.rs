//! MediaEval "Verifying Multimedia Use" (Boididou et al. 2018): tweets whose pictures are found by id.
//!
//! Fields are separated by tabs and never quoted: some texts begin with a quotation mark. The two characters `\n`
//! stand for a line break and become one; other escapes and HTML entities stay as they are written.

use std::path::{Path, PathBuf};

use super::collector::{Candidate, Collector, Picture, Place};
use super::lines::{Line, lines};
use super::pictures::Pictures;
use super::{Import, Options, Reason, existing_folder, read_file};
use crate::{Error, Label, Split};

const EXPECTED: &str = "a folder with `devset/posts.txt` and `testset/posts_groundtruth.txt` (MediaEval 2016) \
                        or `tweets.txt` in it or in `devset` and `testset` (2015)";

const COLUMNS: &str = "a tab-separated header with post_id, post_text, image_id(s), label (2015: tweetId, tweetText, imageId(s), label)";

/// Where the rows of a split may stand, the best first.
const FILES: [(Split, &[&str]); 2] = [
    (
        Split::Train,
        &[
            "devset/posts.txt",
            "devset/tweets.txt",
            "tweets.txt",
            "posts.txt",
        ],
    ),
    (
        Split::Test,
        &[
            "testset/posts_groundtruth.txt",
            "testset/tweets.txt",
            "posts_groundtruth.txt",
            "testset/posts.txt",
        ],
    ),
];

/// Reads the dev set as `train` and the test set as `test`; the event of a post is its picture's id without number.
pub fn twitter(root: &Path, options: &Options) -> Result<Import, Error> {
    let root = existing_folder(root, EXPECTED)?;
    let mut collector = Collector::new(options);
    let files = find_files(&root, &mut collector)?;
    let pictures = Pictures::below(&root)?;
    collector.links_not_followed(pictures.links_not_followed);
    for (split, name) in files {
        let path = root.join(name);
        let data = read_file(&path, COLUMNS)?;
        let header = Header::of(&path, &data, split)?;
        if header.label.is_none() {
            collector.note(format!(
                "`{name}` has no labels: its posts can only be scored"
            ));
        }
        let file = TweetFile {
            name,
            split,
            header,
            pictures: &pictures,
        };
        file.read(&data, &mut collector);
    }
    Ok(collector.finish("twitter", &root))
}

/// At least one of the splits must be there; the other one is missed aloud.
fn find_files(root: &Path, collector: &mut Collector) -> Result<Vec<(Split, &'static str)>, Error> {
    let mut found = Vec::new();
    for (split, names) in FILES {
        match names.iter().find(|name| root.join(name).is_file()) {
            Some(name) => found.push((split, *name)),
            None => collector.note(format!("no {split} posts: there is no `{}`", names[0])),
        }
    }
    if found.is_empty() {
        return Err(Error::Missing {
            path: root.join(FILES[0].1[0]),
            expected: EXPECTED.to_owned(),
        });
    }
    Ok(found)
}

/// Which column holds what; the files of the dev set and of the test set differ in order and names.
struct Header {
    fields: usize,
    id: usize,
    text: usize,
    images: usize,
    label: Option<usize>,
}

impl Header {
    fn of(path: &Path, data: &[u8], split: Split) -> Result<Self, Error> {
        let lines = lines(data);
        let first = lines.first().and_then(Line::text).unwrap_or_default();
        let names: Vec<String> = first.split('\t').map(plain).collect();
        let position = |wanted: &[&str]| names.iter().position(|n| wanted.contains(&n.as_str()));
        let required = |shown: &str, wanted: &[&str]| {
            position(wanted).ok_or_else(|| Error::Column {
                path: path.to_owned(),
                column: shown.to_owned(),
                found: "nothing".to_owned(),
                expected: COLUMNS,
            })
        };
        let label = match split {
            Split::Test => position(&["label"]),
            _ => Some(required("label", &["label"])?),
        };
        Ok(Self {
            fields: names.len(),
            id: required("post_id", &["postid", "tweetid"])?,
            text: required("post_text", &["posttext", "tweettext"])?,
            images: required("image_id(s)", &["imageid"])?,
            label,
        })
    }
}

/// `image_id(s)`, `image_id` and `imageId(s)` are one column.
fn plain(name: &str) -> String {
    name.trim()
        .to_lowercase()
        .replace('_', "")
        .replace("(s)", "")
}

struct TweetFile<'a> {
    name: &'a str,
    split: Split,
    header: Header,
    pictures: &'a Pictures,
}

impl TweetFile<'_> {
    fn read(&self, data: &[u8], collector: &mut Collector) {
        for line in lines(data).iter().skip(1).filter(|line| !line.is_blank()) {
            collector.row();
            self.read_row(line, collector);
        }
    }

    fn read_row(&self, line: &Line, collector: &mut Collector) {
        let at = Place {
            file: self.name,
            line: line.number,
        };
        let Some(text) = line.text() else {
            let id = line.bytes.split(|byte| *byte == b'\t').nth(self.header.id);
            let id = id
                .and_then(|id| std::str::from_utf8(id).ok())
                .map(str::trim);
            return collector.reject(at, id, Reason::NotUtf8, String::new());
        };
        let fields: Vec<&str> = text.split('\t').collect();
        let id = fields.get(self.header.id).map(|id| id.trim());
        let detail = || format!("{} instead of {}", fields.len(), self.header.fields);
        match fields.len().cmp(&self.header.fields) {
            std::cmp::Ordering::Less => {
                return collector.reject(at, id, Reason::TooFewFields, detail());
            }
            std::cmp::Ordering::Greater => {
                return collector.reject(at, id, Reason::TooManyFields, detail());
            }
            std::cmp::Ordering::Equal => {}
        }
        let label = match self.header.label.map(|column| fields[column].trim()) {
            None => None,
            Some("fake") => Some(Label::Fake),
            Some("real") => Some(Label::Real),
            Some("humor") => {
                collector.read(self.split, "humor");
                return collector.reject(at, id, Reason::Humor, String::new());
            }
            Some(other) => {
                let detail = format!("`{other}`; known are fake, real and humor");
                return collector.reject(at, id, Reason::UnknownLabel, detail);
            }
        };
        collector.offer(at, self.candidate(&fields, label));
    }

    fn candidate(&self, fields: &[&str], label: Option<Label>) -> Candidate {
        let names = fields[self.header.images].split(',').map(str::trim);
        let pictures: Vec<Picture> = names
            .filter(|name| !name.is_empty())
            .map(|name| Picture {
                name: name.to_owned(),
                path: self.pictures.by_id(name).map(PathBuf::clone),
            })
            .collect();
        Candidate {
            id: fields[self.header.id].trim().to_owned(),
            text: fields[self.header.text].replace("\\n", "\n"),
            event: pictures.first().and_then(|picture| event(&picture.name)),
            pictures,
            label,
            split: self.split,
            ocr_text: None,
        }
    }
}

/// `sandy_fake_43` → `sandy`; the `sandyA` and `sandyB` of 2015 are one event, as they are in 2016.
fn event(image_id: &str) -> Option<String> {
    let name = image_id.trim_end_matches(|c: char| c.is_ascii_digit());
    let name = name.trim_end_matches('_');
    let kinds = ["_fake", "_real", "_humor", "_video"];
    let name = kinds
        .iter()
        .find_map(|kind| name.strip_suffix(kind))
        .unwrap_or(name);
    let name = match name {
        "sandyA" | "sandyB" => "sandy",
        name => name,
    };
    (!name.is_empty()).then(|| name.to_owned())
}
