//! The run: encode what the posts contain and the store lacks, then link the posts to it.

use std::collections::{BTreeMap, HashSet};

use mmfnd_features::{EncoderWriter, Input, Key, Link, Links, StoreReject, StoreWriter};
use mmfnd_posts::Post;

use crate::encode::Encoders;
use crate::error::Error;
use crate::pictures::{self, Choice, Choices};
use crate::scan::Contents;
use crate::stage::Tools;
use crate::summary::{EncoderSummary, Summary};
use crate::texts;

/// Links that are written in one part.
const LINKS_PER_PART: usize = 65_536;

pub(crate) struct Run<'a> {
    pub(crate) posts: &'a [Post],
    pub(crate) encoders: &'a dyn Encoders,
    pub(crate) contents: &'a Contents<'a>,
    pub(crate) tools: &'a Tools<'a>,
}

impl Run<'_> {
    /// `writers` are in the order of the encoders' numbers.
    pub(crate) fn encode(
        &self,
        store: &mut StoreWriter,
        mut writers: Vec<EncoderWriter>,
    ) -> Result<Summary, Error> {
        let links = store.links()?;
        let mut choices = Choices::new(self.contents, decoded_before(&links, &writers));
        for (number, writer) in writers.iter_mut().enumerate() {
            self.check(number, writer, &choices)?;
        }
        let mut summaries = self.encode_texts(&mut writers)?;
        summaries.extend(self.encode_pictures(&mut choices, writers)?);
        summaries.sort_by_key(|(number, _)| *number);
        let linked = self.link(store, &links, &choices)?;
        let rejects = self.rejects(&choices);
        store.write_rejects(&rejects)?;
        let mut summary = self.count(&choices);
        summary.linked = linked;
        summary.encoders = summaries.into_iter().map(|(_, one)| one).collect();
        Ok(summary)
    }

    /// A missing or wrong file is found before the hours of work that come first.
    fn check(
        &self,
        number: usize,
        writer: &mut EncoderWriter,
        choices: &Choices<'_>,
    ) -> Result<(), Error> {
        let present = writer.present();
        let lacks = match writer.spec().input {
            Input::Image => choices.any_missing(present),
            Input::Text => self.contents.text.iter().any(|key| !present.contains(key)),
            Input::TextOcr => self
                .contents
                .text_ocr
                .iter()
                .any(|key| !present.contains(key)),
        };
        if lacks {
            self.encoders.check(number)?;
            if let Some(file) = self.encoders.classifier(number) {
                writer.set_classifier(file)?;
            }
        }
        Ok(())
    }

    fn encode_texts(
        &self,
        writers: &mut [EncoderWriter],
    ) -> Result<Vec<(usize, EncoderSummary)>, Error> {
        let mut summaries = Vec::new();
        for (number, writer) in writers.iter_mut().enumerate() {
            if writer.spec().input == Input::Image {
                continue;
            }
            let given = (self.posts, self.contents);
            let summary = texts::encode(given, (self.encoders, number), writer, self.tools)?;
            summaries.push((number, summary));
        }
        Ok(summaries)
    }

    fn encode_pictures(
        &self,
        choices: &mut Choices<'_>,
        writers: Vec<EncoderWriter>,
    ) -> Result<Vec<(usize, EncoderSummary)>, Error> {
        let (numbers, mut writers): (Vec<usize>, Vec<EncoderWriter>) = writers
            .into_iter()
            .enumerate()
            .filter(|(_, writer)| writer.spec().input == Input::Image)
            .unzip();
        let given = (self.encoders, numbers.as_slice());
        let ran = pictures::encode(choices, given, &mut writers, self.tools)?;
        let used = self.pictures(choices).len();
        let summaries = numbers.iter().zip(&writers).zip(&ran.rows);
        Ok(summaries
            .map(|((&number, writer), &rows)| {
                let mut summary = EncoderSummary::new(writer.spec(), used, rows);
                summary.encoded = rows;
                summary.time = ran.time;
                (number, summary)
            })
            .collect())
    }

    /// The distinct pictures that stand for posts.
    fn pictures(&self, choices: &Choices<'_>) -> HashSet<Key> {
        let posts = 0..self.posts.len();
        posts
            .filter_map(|post| self.picture(choices, post))
            .map(|(key, _)| key)
            .collect()
    }

    /// Key and file number of a post's picture.
    fn picture(&self, choices: &Choices<'_>, post: usize) -> Option<(Key, u32)> {
        let Choice::File(file) = choices.of(post) else {
            return None;
        };
        let key = self.contents.hashes[file as usize].as_ref().ok()?;
        Some((*key, file))
    }

    /// Writes the links that are new or different; returns how many.
    fn link(
        &self,
        store: &mut StoreWriter,
        links: &Links,
        choices: &Choices<'_>,
    ) -> Result<usize, Error> {
        let mut count = 0;
        let mut changed = Vec::new();
        for (number, post) in self.posts.iter().enumerate() {
            let link = self.link_of(number, choices);
            if links.get(&post.id) != Some(&link) {
                changed.push(link);
            }
            if changed.len() == LINKS_PER_PART || number + 1 == self.posts.len() {
                count += changed.len();
                if !changed.is_empty() {
                    store.write_links(&changed)?;
                }
                changed.clear();
            }
        }
        Ok(count)
    }

    fn link_of(&self, number: usize, choices: &Choices<'_>) -> Link {
        let post = &self.posts[number];
        let candidates = self.contents.candidates(number);
        let picture = self.picture(choices, number);
        let reason = || match candidates.first() {
            Some(&file) => choices.refusal(file).map(ToString::to_string),
            None => Some("no picture".to_owned()),
        };
        Link {
            post_id: post.id.clone(),
            source_key: self.source_key(number),
            text_key: self.contents.text[number],
            text_ocr_key: self.contents.text_ocr[number],
            image_key: picture.map(|(key, _)| key),
            image: picture.map(|(_, file)| {
                let path = self.contents.files[file as usize];
                path.to_string_lossy().into_owned()
            }),
            reason: if picture.is_none() { reason() } else { None },
        }
    }

    /// What a link was computed from: both texts and every picture's file, in their order.
    fn source_key(&self, post: usize) -> Key {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(self.contents.text[post].as_bytes());
        bytes.extend_from_slice(self.contents.text_ocr[post].as_bytes());
        for &file in self.contents.candidates(post) {
            match &self.contents.hashes[file as usize] {
                Ok(key) => bytes.extend_from_slice(key.as_bytes()),
                Err(refusal) => bytes.extend_from_slice(refusal.kind().as_bytes()),
            }
        }
        Key::of(&bytes)
    }

    /// Every file that was tried for a post and cannot be used.
    fn rejects(&self, choices: &Choices<'_>) -> Vec<StoreReject> {
        let mut rejects = Vec::new();
        for (number, post) in self.posts.iter().enumerate() {
            for (file, refusal) in self.refused(choices, number) {
                rejects.push(StoreReject {
                    post_id: post.id.clone(),
                    path: self.contents.files[file as usize]
                        .to_string_lossy()
                        .into_owned(),
                    reason: refusal.to_string(),
                });
            }
        }
        rejects
    }

    /// A post's files up to the one that stands for it.
    fn refused<'b>(
        &'b self,
        choices: &'b Choices<'_>,
        post: usize,
    ) -> impl Iterator<Item = (u32, &'b crate::Refusal)> {
        let candidates = self.contents.candidates(post).iter();
        candidates.map_while(|&file| Some((file, choices.refusal(file)?)))
    }

    fn count(&self, choices: &Choices<'_>) -> Summary {
        let mut rejects: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut counted = HashSet::new();
        let mut without = 0;
        for post in 0..self.posts.len() {
            without += usize::from(self.picture(choices, post).is_none());
            for (file, refusal) in self.refused(choices, post) {
                if counted.insert(file) {
                    *rejects.entry(refusal.kind()).or_default() += 1;
                }
            }
        }
        Summary {
            posts: self.posts.len(),
            texts: self.contents.text.iter().collect::<HashSet<_>>().len(),
            pictures: self.pictures(choices).len(),
            posts_without_picture: without,
            rejects,
            ..Summary::default()
        }
    }
}

/// Pictures that some run has decoded: those in the store.
fn decoded_before(links: &Links, writers: &[EncoderWriter]) -> HashSet<Key> {
    let mut known: HashSet<Key> = links.iter().filter_map(|link| link.image_key).collect();
    for writer in writers {
        if writer.spec().input == Input::Image {
            known.extend(writer.present());
        }
    }
    known
}
