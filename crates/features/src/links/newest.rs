//! The newest link of each post, in little memory: as hashes, or as what it points to.

use std::collections::HashSet;

use super::link::{Link, PostKeys};
use super::link_part::for_each;
use crate::Error;
use crate::disk::part::Part;
use crate::identity::Key;

/// The newest link of each post, as hashes: 32 bytes a post.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Links(Vec<(Key, Key)>);

impl Links {
    /// Whether this is the newest link of its post.
    pub fn has(&self, link: &Link) -> bool {
        self.find(&link.post_id)
            .is_some_and(|digest| digest == link.digest())
    }

    /// Whether the post is linked.
    pub fn knows(&self, post_id: &str) -> bool {
        self.find(post_id).is_some()
    }

    fn find(&self, post_id: &str) -> Option<Key> {
        let id = Key::of(post_id.as_bytes());
        let index = self.0.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.0[index].1)
    }

    /// How many posts are linked.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no post is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(Key, Key)>()
    }

    /// Reads parts, oldest first.
    pub(crate) fn read(parts: &[Part]) -> Result<Self, Error> {
        let mut links = Vec::new();
        for_each(parts, |rows, row| {
            let link = rows.link(row);
            links.push((Key::of(link.post_id.as_bytes()), link.digest()));
        })?;
        Ok(Self(newest(links, |(id, _)| *id)))
    }
}

/// The pictures that posts were ever linked to.
pub(crate) fn linked_pictures(parts: &[Part]) -> Result<HashSet<Key>, Error> {
    let mut pictures = HashSet::new();
    for_each(parts, |rows, row| pictures.extend(rows.image_key(row)))?;
    Ok(pictures)
}

/// What the newest link of a post points to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Target {
    /// Hash of the post's id.
    pub(crate) post: Key,
    /// What the link was computed from.
    source: Key,
    /// The contents.
    pub(crate) keys: PostKeys,
}

impl Target {
    /// Of each post that the parts link, sorted by `post`.
    pub(crate) fn read(parts: &[Part]) -> Result<Vec<Self>, Error> {
        let mut targets = Vec::new();
        for_each(parts, |rows, row| {
            targets.push(Self {
                post: Key::of(rows.post_id(row).as_bytes()),
                source: rows.source_key(row),
                keys: rows.keys(row),
            });
        })?;
        Ok(newest(targets, |target| target.post))
    }
}

/// The last of each id, sorted by it.
fn newest<T>(mut entries: Vec<T>, id: impl Fn(&T) -> Key) -> Vec<T> {
    entries.reverse();
    entries.sort_by_key(&id);
    entries.dedup_by_key(|entry| id(entry));
    entries.shrink_to_fit();
    entries
}
