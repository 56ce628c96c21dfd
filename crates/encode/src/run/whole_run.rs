//! The run: encode what the posts contain and the store lacks, then link the posts to it.

use std::collections::{BTreeMap, HashSet};

use mmfnd_features::{EncoderWriter, Input, Key, KeySet, Link, StoreReject, StoreWriter};
use mmfnd_pictures::Refusal;
use mmfnd_posts::{Post, PostSource};
use rayon::prelude::*;

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
    pub(crate) posts: PostSource<'a>,
    pub(crate) encoders: &'a dyn Encoders,
    pub(crate) contents: &'a Contents,
    pub(crate) tools: &'a Tools<'a>,
}

impl Run<'_> {
    /// `writers` are in the order of the encoders' numbers. What a writer knows of its store goes with it as soon as its encoder is done.
    pub(crate) fn encode(
        &self,
        store: &mut StoreWriter,
        mut writers: Vec<EncoderWriter>,
    ) -> Result<Summary, Error> {
        let known = decoded_before(store.linked_pictures()?, &writers);
        let mut choices = Choices::new(self.contents, known);
        self.check(&mut writers, &choices)?;
        let numbered = writers.into_iter().enumerate();
        let (pictures, texts): (Vec<_>, Vec<_>) =
            numbered.partition(|(_, writer)| writer.spec().input == Input::Image);
        let mut summaries = Vec::new();
        for (number, mut writer) in texts {
            let given = (self.posts, self.contents);
            let summary = texts::encode(given, (self.encoders, number), &mut writer, self.tools)?;
            summaries.push((number, summary));
        }
        summaries.extend(self.encode_pictures(&mut choices, pictures)?);
        summaries.sort_by_key(|(number, _)| *number);
        let (linked, rejects) = self.link(store, &choices)?;
        store.write_rejects(&rejects)?;
        let mut summary = self.count(&choices);
        summary.linked = linked;
        summary.encoders = summaries.into_iter().map(|(_, one)| one).collect();
        Ok(summary)
    }

    /// A missing or wrong file is found before the hours of work that come first.
    fn check(&self, writers: &mut [EncoderWriter], choices: &Choices<'_>) -> Result<(), Error> {
        let numbered = writers.iter().enumerate();
        let lacking: Vec<usize> = numbered
            .filter(|(_, writer)| self.is_lacking(writer, choices))
            .map(|(number, _)| number)
            .collect();
        // Checksums of a gigabyte: each encoder's on a thread.
        let check = |number: &usize| self.encoders.check(*number);
        self.tools
            .pool
            .install(|| lacking.par_iter().try_for_each(check))?;
        for number in lacking {
            if let Some(file) = self.encoders.classifier(number) {
                writers[number].set_classifier(file)?;
            }
        }
        Ok(())
    }

    /// Whether something of the posts is missing in an encoder's part of the store.
    fn is_lacking(&self, writer: &EncoderWriter, choices: &Choices<'_>) -> bool {
        let present = writer.present();
        let input = writer.spec().input;
        match input {
            Input::Image => choices.any_missing(present),
            Input::Text | Input::TextOcr => {
                let mut texts = (0..self.contents.posts()).map(|n| self.contents.text(n, input));
                texts.any(|key| self.contents.is_our_text(&key) && !present.contains(&key))
            }
        }
    }

    fn encode_pictures(
        &self,
        choices: &mut Choices<'_>,
        writers: Vec<(usize, EncoderWriter)>,
    ) -> Result<Vec<(usize, EncoderSummary)>, Error> {
        let (numbers, mut writers): (Vec<usize>, Vec<EncoderWriter>) = writers.into_iter().unzip();
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
        let posts = self.contents.our_posts();
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

    /// Writes the links that are new or different; returns how many, and the files that were tried for a post and cannot be used.
    fn link(
        &self,
        store: &mut StoreWriter,
        choices: &Choices<'_>,
    ) -> Result<(usize, Vec<StoreReject>), Error> {
        let links = store.links()?;
        let (mut number, mut count) = (0, 0);
        let mut changed = Vec::new();
        let mut rejects = Vec::new();
        self.posts.for_each(|posts| {
            for post in posts {
                self.check_same(number, post)?;
                if self.contents.is_our_post(number) {
                    let link = self.link_of(number, post, choices);
                    changed.extend((!links.has(&link)).then_some(link));
                    rejects.extend(self.rejects(number, post, choices));
                }
                number += 1;
                if changed.len() == LINKS_PER_PART {
                    count += changed.len();
                    store.write_links(&changed)?;
                    changed.clear();
                }
            }
            Ok::<(), Error>(())
        })?;
        if number < self.contents.posts() {
            let post = format!("number {}", number + 1);
            return Err(Error::PostsChanged { post });
        }
        store.write_links(&changed)?;
        Ok((count + changed.len(), rejects))
    }

    /// Posts are read a second time for their links; a file may have changed meanwhile.
    fn check_same(&self, number: usize, post: &Post) -> Result<(), Error> {
        let key = Key::of(post.text.as_bytes());
        let is_same =
            number < self.contents.posts() && self.contents.text(number, Input::Text) == key;
        is_same.then_some(()).ok_or_else(|| Error::PostsChanged {
            post: post.id.clone(),
        })
    }

    fn link_of(&self, number: usize, post: &Post, choices: &Choices<'_>) -> Link {
        let candidates = self.contents.candidates(number);
        let picture = self.picture(choices, number);
        let reason = || match candidates.first() {
            Some(&file) => choices.refusal(file).map(ToString::to_string),
            None => Some("no picture".to_owned()),
        };
        Link {
            post_id: post.id.clone(),
            source_key: self.source_key(number),
            text_key: self.contents.text(number, Input::Text),
            text_ocr_key: self.contents.text(number, Input::TextOcr),
            image_key: picture.map(|(key, _)| key),
            image: picture.map(|(_, file)| {
                let path = &self.contents.files[file as usize];
                path.to_string_lossy().into_owned()
            }),
            reason: if picture.is_none() { reason() } else { None },
        }
    }

    /// What a link was computed from: both texts and every picture's file, in their order.
    fn source_key(&self, post: usize) -> Key {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(self.contents.text(post, Input::Text).as_bytes());
        bytes.extend_from_slice(self.contents.text(post, Input::TextOcr).as_bytes());
        for &file in self.contents.candidates(post) {
            match &self.contents.hashes[file as usize] {
                Ok(key) => bytes.extend_from_slice(key.as_bytes()),
                Err(refusal) => bytes.extend_from_slice(refusal.kind().as_bytes()),
            }
        }
        Key::of(&bytes)
    }

    /// Every file that was tried for a post and cannot be used.
    fn rejects(&self, number: usize, post: &Post, choices: &Choices<'_>) -> Vec<StoreReject> {
        let refused = self.refused(choices, number);
        let reject = |(file, refusal): (u32, &Refusal)| StoreReject {
            post_id: post.id.clone(),
            path: self.contents.files[file as usize]
                .to_string_lossy()
                .into_owned(),
            reason: refusal.to_string(),
        };
        refused.map(reject).collect()
    }

    /// A post's files up to the one that stands for it.
    fn refused<'b>(
        &'b self,
        choices: &'b Choices<'_>,
        post: usize,
    ) -> impl Iterator<Item = (u32, &'b Refusal)> {
        let candidates = self.contents.candidates(post).iter();
        candidates.map_while(|&file| Some((file, choices.refusal(file)?)))
    }

    /// How many distinct texts there are.
    fn texts(&self) -> usize {
        let keys = (0..self.contents.posts()).map(|post| self.contents.text(post, Input::Text));
        let ours: Vec<Key> = keys.filter(|key| self.contents.is_our_text(key)).collect();
        KeySet::from(ours).len()
    }

    fn count(&self, choices: &Choices<'_>) -> Summary {
        let mut rejects: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut counted = HashSet::new();
        let mut without = 0;
        let mut posts = 0;
        for post in self.contents.our_posts() {
            posts += 1;
            without += usize::from(self.picture(choices, post).is_none());
            for (file, refusal) in self.refused(choices, post) {
                if counted.insert(file) {
                    *rejects.entry(refusal.kind()).or_default() += 1;
                }
            }
        }
        Summary {
            posts,
            texts: self.texts(),
            pictures: self.pictures(choices).len(),
            posts_without_picture: without,
            rejects,
            ..Summary::default()
        }
    }
}

/// Pictures that some run has decoded: those in the store.
fn decoded_before(linked: HashSet<Key>, writers: &[EncoderWriter]) -> HashSet<Key> {
    let mut known = linked;
    for writer in writers {
        if writer.spec().input == Input::Image {
            known.extend(writer.present().iter());
        }
    }
    known
}
