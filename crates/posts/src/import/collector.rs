//! Where rows become posts or rejects; all readers end here, so the rules are the same for all of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::counts::{Counts, Missed, add, label_name};
use super::imported::Import;
use super::options::{MissingImage, Options};
use super::reject::{Reason, Reject};
use crate::audit::Audit;
use crate::hash::short;
use crate::{Label, Post, Split};

/// Bytes of the longest text that is taken.
const MOST_TEXT: usize = 16 << 20;

/// Missing pictures that are named in the counts.
const MOST_MISSED: usize = 10;

/// Where a row stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub file: &'a str,
    pub line: u64,
}

/// A picture that a row names, and its file if there is one.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub name: String,
    pub path: Option<PathBuf>,
}

/// A row that could be read.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub id: String,
    pub text: String,
    pub pictures: Vec<Picture>,
    pub label: Option<Label>,
    pub split: Split,
    pub event: Option<String>,
    pub ocr_text: Option<String>,
}

/// Collects posts, rejects and counts.
pub(super) struct Collector<'a> {
    options: &'a Options,
    posts: Vec<Post>,
    /// Number of pictures that each post names, whether they exist or not; only the audit may know it.
    listed: Vec<usize>,
    rejects: Vec<Reject>,
    /// File and line of each id, which is hashed: a million of them need not stand here once more.
    seen: HashMap<u128, (usize, u64)>,
    /// Names of the files that were read.
    files: Vec<String>,
    /// Hashed names of pictures that exist.
    found: HashSet<u128>,
    missing: BTreeMap<String, usize>,
    counts: Counts,
    notes: Vec<String>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(options: &'a Options) -> Self {
        Self {
            options,
            posts: Vec::new(),
            listed: Vec::new(),
            rejects: Vec::new(),
            seen: HashMap::new(),
            files: Vec::new(),
            found: HashSet::new(),
            missing: BTreeMap::new(),
            counts: Counts::default(),
            notes: Vec::new(),
        }
    }

    /// Counts a row; exactly one of [`Self::offer`] and [`Self::reject`] follows.
    pub(super) fn row(&mut self) {
        self.counts.rows += 1;
    }

    /// Counts a row whose split and label could be read.
    pub(super) fn read(&mut self, split: Split, label: &'static str) {
        add(&mut self.counts.read, split, label);
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(super) fn links_not_followed(&mut self, links: usize) {
        self.counts.pictures.links_not_followed += links;
    }

    pub(super) fn reject(&mut self, at: Place, id: Option<&str>, reason: Reason, detail: String) {
        *self.counts.rejects_by_reason.entry(reason).or_default() += 1;
        self.counts.humor_dropped += usize::from(reason == Reason::Humor);
        self.rejects.push(Reject {
            file: at.file.to_owned(),
            line: at.line,
            post_id: id.filter(|id| !id.is_empty()).map(str::to_owned),
            reason,
            detail,
        });
    }

    /// Takes a row as a post if it is one.
    pub(super) fn offer(&mut self, at: Place, row: Candidate) {
        self.read(row.split, label_name(row.label));
        for picture in &row.pictures {
            match picture.path {
                Some(_) => drop(self.found.insert(short(&picture.name))),
                None => *self.missing.entry(picture.name.clone()).or_default() += 1,
            }
        }
        match self.fault(at, &row) {
            Some((reason, detail)) => self.reject(at, Some(&row.id), reason, detail),
            None => self.take(row),
        }
    }

    fn fault(&mut self, at: Place, row: &Candidate) -> Option<(Reason, String)> {
        if row.id.is_empty() {
            return Some((Reason::NoId, String::new()));
        }
        let id = short(&row.id);
        if let Some((file, line)) = self.seen.get(&id) {
            let detail = format!("first on line {line} of {}", self.files[*file]);
            return Some((Reason::DuplicateId, detail));
        }
        if self.files.last().is_none_or(|file| file != at.file) {
            self.files.push(at.file.to_owned());
        }
        self.seen.insert(id, (self.files.len() - 1, at.line));
        if row.text.len() > MOST_TEXT {
            let detail = format!("{} bytes; at most {MOST_TEXT} are taken", row.text.len());
            return Some((Reason::TextTooLong, detail));
        }
        if row.pictures.iter().any(|picture| picture.path.is_some()) {
            return None;
        }
        match self.options.missing_image {
            MissingImage::Drop => Some((Reason::NoPicture, not_found(&row.pictures))),
            MissingImage::Keep if is_empty(&row.text) => {
                Some((Reason::NoTextNoPicture, not_found(&row.pictures)))
            }
            MissingImage::Keep => None,
        }
    }

    fn take(&mut self, row: Candidate) {
        let listed = row.pictures.len();
        let mut images: Vec<PathBuf> = Vec::with_capacity(listed);
        for path in row.pictures.into_iter().filter_map(|picture| picture.path) {
            if !images.contains(&path) {
                images.push(path);
            }
        }
        let counts = &mut self.counts;
        add(&mut counts.taken, row.split, label_name(row.label));
        counts.posts_with_several_pictures += usize::from(images.len() > 1);
        counts.posts_without_picture += usize::from(images.is_empty());
        counts.posts_without_text += usize::from(is_empty(&row.text));
        counts.longest_text = counts.longest_text.max(row.text.chars().count());
        self.listed.push(listed);
        self.posts.push(Post {
            id: row.id,
            text: row.text,
            images,
            label: row.label,
            split: row.split,
            event: row.event,
            ocr_text: row.ocr_text,
            cause: None,
        });
    }

    /// Closes the books: every row must have become a post or a reject.
    pub(super) fn finish(mut self, dataset: &'static str, source: &Path) -> Import {
        self.counts.posts = self.posts.len();
        self.counts.rejects = self.rejects.len();
        assert_eq!(
            self.counts.rows,
            self.counts.posts + self.counts.rejects,
            "every row is a post or a reject"
        );
        let pictures = &mut self.counts.pictures;
        pictures.found = self.found.len();
        pictures.missing = self.missing.len();
        pictures.named = self.found.len();
        pictures.named += self
            .missing
            .keys()
            .filter(|name| !self.found.contains(&short(name)))
            .count();
        // The audit needs the room.
        self.seen = HashMap::new();
        let missed = self.missing.into_iter();
        let mut missed: Vec<_> = missed.map(|(name, rows)| Missed { name, rows }).collect();
        missed.sort_by_key(|missed| Reverse(missed.rows));
        missed.truncate(MOST_MISSED);
        pictures.most_missed = missed;
        Import {
            program: concat!("mmfnd ", env!("CARGO_PKG_VERSION")),
            dataset,
            source: source.display().to_string(),
            options: self.options.clone(),
            audit: Audit::of_import(&self.posts, &self.listed),
            counts: self.counts,
            notes: self.notes,
            posts: self.posts,
            rejects: self.rejects,
        }
    }
}

fn is_empty(text: &str) -> bool {
    text.trim().is_empty()
}

/// What was looked for in vain; long lists are cut.
fn not_found(pictures: &[Picture]) -> String {
    const SHOWN: usize = 3;
    if pictures.is_empty() {
        return "the row names none".to_owned();
    }
    let names: Vec<_> = pictures
        .iter()
        .take(SHOWN)
        .map(|picture| format!("`{}`", picture.name))
        .collect();
    let more = match pictures.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("no file for {}{more}", names.join(", "))
}
