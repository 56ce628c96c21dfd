//! Which of a post's pictures stands for it: the first that decodes, as far as that is known.

use std::collections::{HashMap, HashSet};

use mmfnd_features::{EncoderWriter, Key, KeySet};
use mmfnd_pictures::Refusal;

use super::work::StageResult;
use crate::contents::Contents;
use crate::plan::MissingContent;

/// Which pictures can be used, as far as it is known.
pub(crate) struct Choices<'a> {
    pub(super) contents: &'a Contents,
    /// Decoded at least once, now or in an earlier run.
    known: HashSet<Key>,
    refused: HashMap<Key, Refusal>,
}

/// A post's picture, as far as it is known.
pub(super) enum Choice {
    /// It has none, or none of them can be used.
    Nothing,
    /// The number of the file that stands for it.
    File(u32),
    /// The number of the file that has to be tried next.
    Try(u32),
}

impl<'a> Choices<'a> {
    /// `known` are pictures that were decoded before.
    pub(crate) fn new(contents: &'a Contents, known: HashSet<Key>) -> Self {
        Self {
            contents,
            known,
            refused: HashMap::new(),
        }
    }

    /// The picture of a post.
    pub(super) fn of(&self, post: usize) -> Choice {
        for &file in self.contents.candidates(post) {
            match &self.contents.hashes[file as usize] {
                Ok(key) if self.refused.contains_key(key) => {}
                Ok(key) if self.known.contains(key) => return Choice::File(file),
                Ok(_) => return Choice::Try(file),
                Err(_) => {}
            }
        }
        Choice::Nothing
    }

    /// Whether some file that may be a picture of this run's posts is not among these.
    pub(crate) fn any_missing(&self, present: &KeySet) -> bool {
        let hash = |file: &u32| self.contents.hashes[*file as usize].as_ref().ok();
        let mut posts = self.contents.our_posts();
        posts.any(|post| {
            let mut keys = self.contents.candidates(post).iter().filter_map(hash);
            keys.any(|key| !present.contains(key))
        })
    }

    /// Why a file is not used, if it is not.
    pub(crate) fn refusal(&self, file: u32) -> Option<&Refusal> {
        match &self.contents.hashes[file as usize] {
            Ok(key) => self.refused.get(key),
            Err(refusal) => Some(refusal),
        }
    }

    /// Key and file number of a post's picture.
    pub(crate) fn picture(&self, post: usize) -> Option<(Key, u32)> {
        let Choice::File(file) = self.of(post) else {
            return None;
        };
        let key = self.contents.hashes[file as usize].as_ref().ok()?;
        Some((*key, file))
    }

    /// A post's files up to the one that stands for it, with why each of them cannot be used.
    pub(crate) fn refused(&self, post: usize) -> impl Iterator<Item = (u32, &Refusal)> {
        let candidates = self.contents.candidates(post).iter();
        candidates.map_while(|&file| Some((file, self.refusal(file)?)))
    }

    /// The contents that the next round has to look at: undecided ones, and chosen ones that an encoder lacks.
    pub(super) fn wanted(&self, writers: &[EncoderWriter]) -> Vec<MissingContent> {
        let mut seen = HashSet::new();
        let mut items = Vec::new();
        for post in self.contents.our_posts() {
            let (file, is_known) = match self.of(post) {
                Choice::Nothing => continue,
                Choice::File(file) => (file, true),
                Choice::Try(file) => (file, false),
            };
            let Ok(key) = &self.contents.hashes[file as usize] else {
                continue;
            };
            if !seen.insert(*key) {
                continue;
            }
            let lacks = |(number, writer): (usize, &EncoderWriter)| {
                u32::from(!writer.present().contains(key)) << number
            };
            let lacking = writers.iter().enumerate().map(lacks).sum();
            if !is_known || lacking != 0 {
                items.push(MissingContent {
                    key: *key,
                    source: file,
                    length: 1,
                    weight: self.contents.pixels[file as usize],
                    lacking,
                });
            }
        }
        items
    }

    pub(super) fn learn(&mut self, result: &mut StageResult) {
        self.known.extend(result.used.drain(..));
        self.refused.extend(result.refused.drain(..));
    }
}
