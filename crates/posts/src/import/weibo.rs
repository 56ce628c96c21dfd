//! Weibo (Jin et al. 2017): records of three lines, pictures in one folder per label.
//!
//! Neither the number of URLs nor the folder may reach a model: both give the label away. Posts carry
//! the pictures that exist, in the listed order; which folder they lie in is part of the path only.

use std::path::{Path, PathBuf};

use super::collector::{Candidate, Collector, Picture, Place};
use super::imported::Import;
use super::lines::{Line, lines};
use super::options::{MissingImage, Options};
use super::pictures::Pictures;
use super::reject::Reason;
use super::source_file::{existing_folder, read_file};
use crate::{Error, Label, Split};

const EXPECTED: &str = "a folder with `train_rumor.txt`, `train_nonrumor.txt`, `test_rumor.txt`, `test_nonrumor.txt` \
                        (directly or in `tweets`), `rumor_images` and `nonrumor_images`";

const FILES: [(&str, Split, Label); 4] = [
    ("train_rumor.txt", Split::Train, Label::Fake),
    ("train_nonrumor.txt", Split::Train, Label::Real),
    ("test_rumor.txt", Split::Test, Label::Fake),
    ("test_nonrumor.txt", Split::Test, Label::Real),
];

const FOLDERS: [&str; 2] = ["rumor_images", "nonrumor_images"];

/// Fields of a record's first line, separated by `|`.
const HEAD_FIELDS: usize = 15;

/// Reads the four files, in `ROOT/tweets` or in `ROOT`.
pub fn weibo(root: &Path, options: &Options) -> Result<Import, Error> {
    let root = existing_folder(root, EXPECTED)?;
    let mut collector = Collector::new(options);
    let pictures = find_pictures(&root, options)?;
    for index in &pictures {
        collector.links_not_followed(index.links_not_followed);
    }
    let folder = if root.join("tweets").is_dir() {
        "tweets/"
    } else {
        ""
    };
    for (name, split, label) in FILES {
        let name = format!("{folder}{name}");
        let data = read_file(&root.join(&name), EXPECTED)?;
        let own = match label {
            Label::Fake => FOLDERS[0],
            Label::Real => FOLDERS[1],
        };
        let file = RecordFile {
            name: &name,
            split,
            label,
            own: &root.join(own),
            pictures: &pictures,
        };
        file.read(&data, &mut collector);
    }
    Ok(collector.finish("weibo", &root))
}

/// Both folders are searched for every post; one may be missing, both only if posts may lack pictures.
fn find_pictures(root: &Path, options: &Options) -> Result<Vec<Pictures>, Error> {
    let folders: Vec<PathBuf> = FOLDERS
        .iter()
        .map(|name| root.join(name))
        .filter(|folder| folder.is_dir())
        .collect();
    if folders.is_empty() && options.missing_image == MissingImage::Drop {
        return Err(Error::Missing {
            path: root.join(FOLDERS[0]),
            expected: format!("{EXPECTED}; `--missing-image keep` imports the texts alone"),
        });
    }
    folders
        .iter()
        .map(|folder| Pictures::below(folder))
        .collect()
}

struct RecordFile<'a> {
    name: &'a str,
    split: Split,
    label: Label,
    /// The folder of this label's pictures, looked into first.
    own: &'a Path,
    pictures: &'a [Pictures],
}

impl RecordFile<'_> {
    /// A record without all of its lines is a reject, and reading goes on at the next line that begins a record.
    fn read(&self, data: &[u8], collector: &mut Collector) {
        let lines = lines(data);
        // The text of the last record may be empty and its line end missing.
        let ended = data.ends_with(b"\n");
        let mut next = 0;
        while next < lines.len() {
            if lines[next].is_blank() {
                next += 1;
                continue;
            }
            collector.row();
            let rest = &lines[next..];
            if !is_head(&rest[0]) {
                next += self.skip(rest, collector);
                continue;
            }
            let body = rest[1..].iter().take(2).take_while(|line| !is_head(line));
            let length = 1 + body.count();
            let empty = Line {
                number: rest[0].number + 2,
                bytes: b"",
            };
            match length {
                3 => self.read_record([rest[0], rest[1], rest[2]], collector),
                2 if rest.len() == 2 && ended => {
                    self.read_record([rest[0], rest[1], empty], collector);
                }
                _ => {
                    let detail = format!("{length} of 3 lines");
                    collector.reject(self.at(&rest[0]), id(&rest[0]), Reason::CutShort, detail);
                }
            }
            next += length;
        }
    }

    /// Lines before the next beginning of a record, together one reject; returns how many.
    fn skip(&self, rest: &[Line], collector: &mut Collector) -> usize {
        let length = rest.iter().take_while(|line| !is_head(line)).count();
        let detail = format!("{length} line(s) that begin no record");
        collector.reject(self.at(&rest[0]), None, Reason::NotARecord, detail);
        length
    }

    fn read_record(&self, [head, urls, text]: [Line; 3], collector: &mut Collector) {
        let at = self.at(&head);
        let (Some(_), Some(urls), Some(text)) = (head.text(), urls.text(), text.text()) else {
            return collector.reject(at, id(&head), Reason::NotUtf8, String::new());
        };
        let names = urls.split('|').map(str::trim);
        let names = names.filter(|url| !url.is_empty() && *url != "null");
        let candidate = Candidate {
            id: id(&head).unwrap_or_default().to_owned(),
            text: text.to_owned(),
            pictures: names.map(|url| self.picture(url)).collect(),
            label: Some(self.label),
            split: self.split,
            event: None,
            ocr_text: None,
        };
        collector.offer(at, candidate);
    }

    fn picture(&self, url: &str) -> Picture {
        let name = file_name(url);
        let found = self
            .pictures
            .iter()
            .filter_map(|index| index.by_name(name, self.own));
        // `max_by_key` takes the last of equals, `min_by_key` the first.
        let found = found.min_by_key(|path| !path.starts_with(self.own));
        Picture {
            name: name.to_owned(),
            path: found.cloned(),
        }
    }

    fn at(&self, line: &Line) -> Place<'_> {
        Place {
            file: self.name,
            line: line.number,
        }
    }
}

/// Whether a line begins a record: a number as id, and enough fields.
fn is_head(line: &Line) -> bool {
    let digits = line.bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let bars = line.bytes.iter().filter(|byte| **byte == b'|').count();
    digits > 0 && line.bytes.get(digits) == Some(&b'|') && bars + 1 >= HEAD_FIELDS
}

fn id<'a>(head: &Line<'a>) -> Option<&'a str> {
    let end = head.bytes.iter().position(|byte| *byte == b'|')?;
    std::str::from_utf8(&head.bytes[..end]).ok()
}

/// The last part of a URL, without query.
fn file_name(url: &str) -> &str {
    let url = url.split(['?', '#']).next().unwrap_or(url);
    url.rsplit('/').next().unwrap_or(url)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    fn head(id: &str) -> String {
        format!("{id}|n|url|url|2012|true|1|2|3|4|5|6|7|8|web")
    }

    /// The import of a folder whose `train_rumor.txt` is this; the other files hold one record without picture each.
    fn import(rumors: &[u8]) -> Import {
        let folder = tempfile::tempdir().unwrap();
        for (index, (name, ..)) in FILES.iter().enumerate() {
            let record = format!("{}\nnull\ntext\n", head(&format!("90{index}")));
            fs::write(folder.path().join(name), record).unwrap();
        }
        fs::write(folder.path().join("train_rumor.txt"), rumors).unwrap();
        for name in FOLDERS {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("rumor_images/A.jpg"), b"a").unwrap();
        fs::write(folder.path().join("rumor_images/b.gif"), b"b").unwrap();
        fs::write(folder.path().join("nonrumor_images/c.jpg"), b"c").unwrap();
        weibo(folder.path(), &Options::default()).unwrap()
    }

    fn texts(import: &Import) -> Vec<(&str, &str)> {
        let posts = import.posts.iter();
        posts
            .map(|post| (post.id.as_str(), post.text.as_str()))
            .collect()
    }

    /// Rejects of `train_rumor.txt`.
    fn rejects(import: &Import) -> Vec<(u64, &'static str, &str)> {
        let rejects = import.rejects.iter();
        let own = rejects.filter(|reject| reject.file == "train_rumor.txt");
        own.map(|reject| (reject.line, reject.reason.as_str(), reject.detail.as_str()))
            .collect()
    }

    #[test]
    fn line_ends_and_byte_order_marks_do_not_matter() {
        let record = |id, text| format!("{}\nhttp://h/A.jpg|null\n{text}\n", head(id));
        let lf = record("1", "a") + &record("2", "") + &record("3", "");
        let crlf = lf.replace('\n', "\r\n");
        let expected = [("1", "a"), ("2", ""), ("3", "")];
        for data in [
            lf.clone(),
            crlf.clone(),
            format!("\u{feff}{crlf}"),
            lf.strip_suffix('\n').unwrap().to_owned(),
            crlf.strip_suffix("\r\n").unwrap().to_owned(),
        ] {
            let import = import(data.as_bytes());
            assert_eq!(texts(&import), expected, "{data:?}");
            assert_eq!(rejects(&import), []);
        }
    }

    #[test]
    fn a_picture_is_the_last_part_of_its_url() {
        let urls = [
            (
                "http://h/x/gone.jpg|http://h/A.jpg?version=1452|null",
                vec!["A.jpg"],
            ),
            ("http://h/a.jpg|null", vec![]),
            (
                "http://h/b.gif|http://h/A.jpg|http://h/b.gif|null",
                vec!["b.gif", "A.jpg"],
            ),
            ("http://h/c.jpg|null", vec!["c.jpg"]),
            (
                "http://h/..|http://h/../../etc/passwd|/etc/passwd|null",
                vec![],
            ),
            ("null", vec![]),
        ];
        let record =
            |(id, urls): (usize, &str)| format!("{}\n{urls}\ntext\n", head(&id.to_string()));
        let data: String = urls
            .iter()
            .map(|(urls, _)| *urls)
            .enumerate()
            .map(record)
            .collect();
        let import = import(data.as_bytes());
        for (id, (urls, expected)) in urls.iter().enumerate() {
            let post = import.posts.iter().find(|post| post.id == id.to_string());
            let images = post.map(|post| post.images.clone()).unwrap_or_default();
            let names: Vec<_> = images
                .iter()
                .map(|path| path.file_name().unwrap())
                .collect();
            assert_eq!(names, *expected, "{urls}");
        }
    }

    #[test]
    fn broken_records_are_rejects_and_reading_goes_on() {
        let ok = |id| format!("{}\nhttp://h/A.jpg|null\ntext\n", head(id));
        let data = format!(
            "{}{}\nnull\n{}stray\nlines\n5|too|few\n{}{}",
            ok("1"),
            head("2"),
            ok("3"),
            ok("1"),
            head("4"),
        );
        let import = import(data.as_bytes());
        assert_eq!(texts(&import), [("1", "text"), ("3", "text")]);
        let expected = [
            (4, "record cut short", "2 of 3 lines"),
            (9, "not a record", "3 line(s) that begin no record"),
            (12, "duplicate id", "first on line 1 of train_rumor.txt"),
            (15, "record cut short", "1 of 3 lines"),
        ];
        assert_eq!(rejects(&import), expected);
    }

    #[test]
    fn other_encodings_are_rejects() {
        let mut data = format!("{}\nhttp://h/A.jpg|null\n", head("1")).into_bytes();
        data.extend(b"\xD0\xC2\n");
        let import = import(&data);
        assert_eq!(rejects(&import), [(1, "not UTF-8", "")]);
        assert_eq!(import.rejects[0].post_id.as_deref(), Some("1"));
    }

    #[test]
    fn missing_and_empty_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = || {
            weibo(folder.path(), &Options::default())
                .unwrap_err()
                .to_string()
        };
        assert!(error().contains("--missing-image keep"), "{}", error());
        fs::create_dir(folder.path().join(FOLDERS[0])).unwrap();
        assert!(error().contains("train_rumor.txt`"), "{}", error());
        fs::write(folder.path().join("train_rumor.txt"), b"").unwrap();
        assert!(error().contains("is empty"), "{}", error());
    }
}
