//! MediaEval "Verifying Multimedia Use" (Boididou et al. 2018): tweets whose pictures are found by id.
//!
//! Fields are separated by tabs and never quoted: some texts begin with a quotation mark. The two characters `\n`
//! stand for a line break and become one; other escapes and HTML entities stay as they are written.

use std::path::Path;

use super::collector::{Candidate, Collector, Picture, Place};
use super::imported::Import;
use super::lines::{Line, lines};
use super::options::Options;
use super::pictures::Pictures;
use super::reject::Reason;
use super::source_file::{check_header, existing_folder, read_file};
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
        let first = lines.first().map_or(&b""[..], |line| line.bytes);
        check_header(path, first, COLUMNS)?;
        let first = lines.first().and_then(Line::text).unwrap_or_default();
        let names: Vec<String> = first.split('\t').map(plain).collect();
        let position = |wanted: &[&str]| names.iter().position(|n| wanted.contains(&n.as_str()));
        let required = |shown: &str, wanted: &[&str]| {
            position(wanted).ok_or_else(|| Error::Column {
                path: path.to_owned(),
                column: shown.to_owned(),
                found: format!("only `{}`", first.trim()),
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
                path: self.pictures.by_id(name).cloned(),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;
    use crate::import::MissingImage;

    const DEV: &str = "post_id\tpost_text\tuser_id\timage_id(s)\tusername\ttimestamp\tlabel\n";
    const TEST: &str = "post_id\tpost_text\tuser_id\tusername\timage_id\ttimestamp\tlabel\n";

    /// A folder with these files and the pictures `a_fake_1.jpg`, `b_real_2.png`.
    fn root(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let pictures: [(&str, &[u8]); 2] =
            [("pictures/x/a_fake_1.jpg", b"a"), ("b_real_2.png", b"b")];
        for (name, bytes) in pictures.iter().chain(files) {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    /// The import of a dev file that has these rows below its header.
    fn dev(rows: &[u8]) -> Import {
        let folder = root(&[("devset/posts.txt", &[DEV.as_bytes(), rows].concat())]);
        twitter(folder.path(), &Options::default()).unwrap()
    }

    fn rejects(import: &Import) -> Vec<(u64, &'static str, &str)> {
        let rejects = import.rejects.iter();
        rejects
            .map(|reject| (reject.line, reject.reason.as_str(), reject.detail.as_str()))
            .collect()
    }

    fn error(folder: &tempfile::TempDir) -> String {
        let error = twitter(folder.path(), &Options::default()).unwrap_err();
        error.to_string()
    }

    #[test]
    fn dev_becomes_train_and_test_becomes_test_whatever_the_order_of_columns() {
        let dev = format!("{DEV}1\tone\\ntwo\tu\ta_fake_1 ,b_real_2\tn\tt\tfake");
        let test = format!("{TEST}2\t\"quoted\tu\tn\tb_real_2\tt\treal\n");
        let files = [
            ("devset/posts.txt", dev.as_bytes()),
            ("testset/posts_groundtruth.txt", test.as_bytes()),
        ];
        let folder = root(&files);
        let import = twitter(folder.path(), &Options::default()).unwrap();
        let [first, second] = &import.posts[..] else {
            panic!("{:?}", import.posts)
        };
        assert_eq!((first.id.as_str(), first.text.as_str()), ("1", "one\ntwo"));
        assert_eq!(
            (first.label, first.split),
            (Some(Label::Fake), Split::Train)
        );
        assert_eq!(first.event.as_deref(), Some("a"));
        let names = first.images.iter().map(|path| path.file_name().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), ["a_fake_1.jpg", "b_real_2.png"]);
        assert_eq!(second.text, "\"quoted");
        assert_eq!(
            (second.label, second.split),
            (Some(Label::Real), Split::Test)
        );
        assert!(import.rejects.is_empty() && import.notes.is_empty());
    }

    #[test]
    fn humor_of_2015_is_dropped_and_counted() {
        let header = "tweetId\ttweetText\tuserId\timageId(s)\tusername\ttimestamp\tlabel\r\n";
        let rows = "1\ta\tu\ta_fake_1\tn\tt\thumor\r\n2\tb\tu\ta_fake_1\tn\tt\tfake\r\n";
        let folder = root(&[("tweets.txt", format!("\u{feff}{header}{rows}").as_bytes())]);
        let import = twitter(folder.path(), &Options::default()).unwrap();
        assert_eq!(rejects(&import), [(2, "humor", "")]);
        assert_eq!((import.posts.len(), import.counts.humor_dropped), (1, 1));
        assert!(
            import.notes[0].contains("no test posts"),
            "{:?}",
            import.notes
        );
    }

    #[test]
    fn bad_rows_are_rejects_with_line_and_reason() {
        let import = dev(b"1\ta\tu\ta_fake_1\tn\tt\n\
              2\ta\tu\ta_fake_1\tn\tt\tfake\textra\n\
              3\t\xFF\tu\ta_fake_1\tn\tt\tfake\n\
              4\ta\tu\ta_fake_1\tn\tt\tmaybe\n\
              \n\
              5\ta\tu\ta_fake_1\tn\tt\tfake\n\
              5\tb\tu\ta_fake_1\tn\tt\tfake\n\
              \ta\tu\ta_fake_1\tn\tt\tfake\n\
              6\ta\tu\tgone_1\tn\tt\tfake\n\
              7\ta\tu\t\tn\tt\tfake\n");
        let expected = [
            (2, "too few fields", "6 instead of 7"),
            (3, "too many fields", "8 instead of 7"),
            (4, "not UTF-8", ""),
            (
                5,
                "unknown label",
                "`maybe`; known are fake, real and humor",
            ),
            (8, "duplicate id", "first on line 7 of devset/posts.txt"),
            (9, "no id", ""),
            (10, "no picture", "no file for `gone_1`"),
            (11, "no picture", "the row names none"),
        ];
        assert_eq!(rejects(&import), expected);
        assert_eq!((import.counts.rows, import.posts.len()), (9, 1));
        assert_eq!(import.rejects[2].post_id.as_deref(), Some("3"));
    }

    #[test]
    fn ids_with_paths_in_them_open_nothing_outside() {
        let folder = root(&[]);
        let inside = folder.path().join("root");
        fs::create_dir_all(inside.join("devset")).unwrap();
        let absolute = folder.path().join("b_real_2");
        let ids = [
            "../../../../etc/passwd",
            "../b_real_2",
            "../pictures/x/a_fake_1",
        ];
        let ids = ids.into_iter().chain(absolute.to_str());
        let rows = ids
            .enumerate()
            .map(|(n, id)| format!("{n}\ta\tu\t{id}\tn\tt\tfake\n"));
        let text = DEV.to_owned() + &rows.collect::<String>();
        fs::write(inside.join("devset/posts.txt"), text).unwrap();
        let import = twitter(&inside, &Options::default()).unwrap();
        assert!(import.posts.is_empty(), "{:?}", import.posts);
        assert_eq!(import.counts.rejects_by_reason[&Reason::NoPicture], 4);
    }

    #[test]
    fn empty_and_very_long_texts_are_kept() {
        let long = "ä".repeat(100_000);
        let rows = format!("1\t\tu\ta_fake_1\tn\tt\tfake\n2\t{long}\tu\ta_fake_1\tn\tt\tfake\n");
        let import = dev(rows.as_bytes());
        assert_eq!(import.posts[0].text, "");
        assert_eq!(import.posts[1].text, long);
        assert_eq!(import.counts.longest_text, 100_000);
    }

    #[test]
    fn posts_without_pictures_stay_when_asked() {
        let rows = b"1\ta\tu\tgone\tn\tt\tfake\n2\t \tu\tgone\tn\tt\tfake\n";
        let folder = root(&[("devset/posts.txt", &[DEV.as_bytes(), rows].concat())]);
        let options = Options {
            missing_image: MissingImage::Keep,
            ..Options::default()
        };
        let import = twitter(folder.path(), &options).unwrap();
        assert_eq!(import.posts.len(), 1);
        assert_eq!(rejects(&import)[0].1, "neither text nor picture");
    }

    #[test]
    fn empty_files_and_wrong_columns_are_errors() {
        let empty = error(&root(&[("devset/posts.txt", b" \n")]));
        assert!(empty.contains("devset/posts.txt` is empty"), "{empty}");
        let wrong = error(&root(&[("devset/posts.txt", b"id,text,label\n1,a,fake\n")]));
        assert!(wrong.contains("column `label` of"), "{wrong}");
        assert!(wrong.contains("found only `id,text,label`"), "{wrong}");
        let nothing = error(&root(&[]));
        assert!(nothing.contains("posts_groundtruth.txt"), "{nothing}");
    }

    #[test]
    fn a_test_file_without_labels_gives_unlabelled_posts() {
        let test = "post_id\tpost_text\timage_id\n1\ta\ta_fake_1\n";
        let folder = root(&[("testset/posts.txt", test.as_bytes())]);
        let import = twitter(folder.path(), &Options::default()).unwrap();
        assert_eq!(import.posts[0].label, None);
        assert!(
            import.notes[1].contains("has no labels"),
            "{:?}",
            import.notes
        );
    }

    #[test]
    fn an_event_is_the_first_part_of_an_id() {
        for (id, expected) in [
            ("sandy_fake_43", "sandy"),
            ("sandyA_fake_29", "sandy"),
            ("attacks_paris_24", "attacks_paris"),
            ("eclipse_video_01", "eclipse"),
            ("eclipse_01", "eclipse"),
            ("pigFish_humor_2", "pigFish"),
        ] {
            assert_eq!(event(id).as_deref(), Some(expected));
        }
        assert_eq!(event("_12"), None);
    }
}
