//! Pictures by content: the same bytes under two names are one picture.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::occurrences::{Occurrences, Shared, share};
use crate::Post;
use crate::hash::{sha256_of_file, short_of};

/// What the posts have in common through their pictures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PictureAudit {
    /// Files that posts name.
    pub files: usize,
    /// Files that differ in content.
    pub distinct: usize,
    /// Files that could not be read, hold nothing, or are larger than 256 MiB; they take no part in the audit.
    pub unreadable: usize,
    /// Pictures with posts of both labels.
    pub both_labels: Shared,
    /// Pictures with posts of two or more splits.
    pub several_splits: Shared,
    /// Half of all pictures have at most so many posts.
    pub median_posts: usize,
    /// Posts of the picture that has the most.
    pub most_posts: usize,
    /// Its file name.
    pub most_posts_file: String,
    /// Share of posts that have a picture which another post has, too.
    pub posts_sharing: f64,
}

/// The beginning of the SHA-256 of a file.
pub(super) type Content = u128;

/// Larger files no encoder opens; they are no pictures, and reading them would take its time.
const MAX_BYTES: u64 = 256 << 20;

/// Which file holds which picture.
pub(super) struct Identities<'a> {
    of: HashMap<&'a Path, Content>,
    files: usize,
}

impl<'a> Identities<'a> {
    /// Hashes every file once.
    pub(super) fn of(posts: &'a [Post]) -> Self {
        let files: BTreeSet<&Path> = posts
            .iter()
            .flat_map(|post| post.images.iter().map(PathBuf::as_path))
            .collect();
        let of = files
            .par_iter()
            .filter_map(|path| Some((*path, hash(path)?)))
            .collect();
        Self {
            of,
            files: files.len(),
        }
    }

    /// What the post's first picture shows, as far as it can be read.
    pub(super) fn first(&self, post: &Post) -> Option<Content> {
        self.of.get(post.images.first()?.as_path()).copied()
    }

    pub(super) fn audit(&self, posts: &[Post]) -> PictureAudit {
        let mut pictures = Occurrences::default();
        for post in posts {
            for content in self.distinct(post).into_keys() {
                pictures.add(content, post);
            }
        }
        let counts = pictures.of.values().map(|found| found.posts as usize);
        let mut counts: Vec<usize> = counts.collect();
        counts.sort_unstable();
        let most = pictures
            .of
            .iter()
            .max_by_key(|(content, found)| (found.posts, **content));
        let name = most.and_then(|(content, _)| {
            let mut names = posts.iter().map(|post| self.distinct(post));
            names.find_map(|names| names.get(content)?.file_name())
        });
        let shares = |post: &&Post| {
            let own = self.distinct(post);
            own.keys().any(|content| pictures.of[content].posts > 1)
        };
        PictureAudit {
            files: self.files,
            distinct: counts.len(),
            unreadable: self.files - self.of.len(),
            both_labels: pictures.with_both_labels(),
            several_splits: pictures.in_several_splits(),
            median_posts: counts.get(counts.len() / 2).copied().unwrap_or_default(),
            most_posts: counts.last().copied().unwrap_or_default(),
            most_posts_file: name.unwrap_or_default().to_string_lossy().into_owned(),
            posts_sharing: share(posts.iter().filter(shares).count(), posts.len()),
        }
    }

    /// A post's pictures, each once, under the first of its names.
    fn distinct<'b>(&self, post: &'b Post) -> BTreeMap<Content, &'b Path> {
        let pictures = post.images.iter().rev().map(PathBuf::as_path);
        let known = pictures.filter_map(|path| Some((*self.of.get(path)?, path)));
        known.collect()
    }
}

/// `None` for files that cannot be read, hold nothing, or hold more than a picture may; what is no file is not opened.
fn hash(path: &Path) -> Option<Content> {
    let metadata = std::fs::metadata(path).ok()?;
    let is_picture = metadata.is_file() && (1..=MAX_BYTES).contains(&metadata.len());
    is_picture
        .then(|| sha256_of_file(path).ok())
        .flatten()
        .map(|hash| short_of(&hash))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::audit::fixture::post;
    use crate::{Label, Split};

    #[test]
    fn the_same_bytes_under_two_names_are_one_picture() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let (a, copy) = (file("a.png", b"a"), file("copy.png", b"a"));
        let (b, empty) = (file("b.png", b"b"), file("empty.png", b""));
        let mut posts = vec![
            post(0, Split::Train, Label::Fake, ""),
            post(1, Split::Test, Label::Real, ""),
            post(2, Split::Train, Label::Real, ""),
            post(3, Split::Test, Label::Real, ""),
        ];
        posts[0].images = vec![a.clone(), copy.clone()];
        posts[1].images = vec![copy];
        posts[2].images = vec![b];
        posts[3].images = vec![empty, folder.path().join("gone.png")];
        let audit = Identities::of(&posts).audit(&posts);
        assert_eq!((audit.files, audit.distinct, audit.unreadable), (5, 2, 2));
        let both = Shared {
            distinct: 1,
            posts: 2,
        };
        assert_eq!(audit.both_labels, both);
        let splits = Shared {
            distinct: 1,
            posts: 1,
        };
        assert_eq!(audit.several_splits, splits);
        assert_eq!(
            (audit.most_posts, audit.most_posts_file.as_str()),
            (2, "a.png")
        );
        assert_eq!(audit.posts_sharing, 0.5);
    }

    #[test]
    fn files_that_are_too_large_for_pictures_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.png");
        // Sparse: it takes no room, but reading it would fill the memory.
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(1 << 40).unwrap();
        let mut posts = [post(0, Split::Train, Label::Fake, "")];
        posts[0].images = vec![path, folder.path().to_owned()];
        let audit = Identities::of(&posts).audit(&posts);
        assert_eq!((audit.files, audit.distinct, audit.unreadable), (2, 0, 2));
    }
}
