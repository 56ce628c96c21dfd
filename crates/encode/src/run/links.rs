//! The links from posts to contents, made when all encoders are done.

use mmfnd_features::{Input, Key, Link, StoreReject, StoreWriter};
use mmfnd_pictures::Refusal;
use mmfnd_posts::{Post, PostSource};

use crate::contents::Contents;
use crate::error::Error;
use crate::stage::Choices;

/// Links that are written in one part.
const LINKS_PER_PART: usize = 65_536;

/// What the links of a run are made of.
pub(super) struct Links<'a> {
    pub(super) posts: PostSource<'a>,
    pub(super) contents: &'a Contents,
    pub(super) choices: &'a Choices<'a>,
}

impl Links<'_> {
    /// Writes the links that are new or different; returns how many, and the files that were tried for a post and
    /// cannot be used.
    pub(super) fn write(
        &self,
        store: &mut StoreWriter,
    ) -> Result<(usize, Vec<StoreReject>), Error> {
        let links = store.links()?;
        let mut count = 0;
        let mut changed = Vec::new();
        let mut rejects = Vec::new();
        self.for_each(|number, post| {
            let link = self.link_of(number, post);
            changed.extend((!links.has(&link)).then_some(link));
            rejects.extend(self.rejects(number, post));
            if changed.len() == LINKS_PER_PART {
                count += changed.len();
                store.write_links(&changed)?;
                changed.clear();
            }
            Ok(())
        })?;
        store.write_links(&changed)?;
        Ok((count + changed.len(), rejects))
    }

    /// How many posts have no link, or another one.
    pub(super) fn missing(&self, links: &mmfnd_features::Links) -> Result<usize, Error> {
        let mut count = 0;
        self.for_each(|number, post| {
            count += usize::from(!links.has(&self.link_of(number, post)));
            Ok(())
        })?;
        Ok(count)
    }

    /// The posts of this run, with their numbers.
    fn for_each(
        &self,
        mut on_post: impl FnMut(usize, &Post) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut number = 0;
        self.posts.for_each(|posts| {
            for post in posts {
                self.check_same(number, post)?;
                if self.contents.is_our_post(number) {
                    on_post(number, post)?;
                }
                number += 1;
            }
            Ok::<(), Error>(())
        })?;
        if number < self.contents.posts() {
            let post = format!("number {}", number + 1);
            return Err(Error::PostsChanged { post });
        }
        Ok(())
    }

    /// Posts are read a second time for their links; a file may have changed meanwhile. Posts of equal text may have
    /// other pictures, so all that a link is made of is compared.
    fn check_same(&self, number: usize, post: &Post) -> Result<(), Error> {
        let is_same = number < self.contents.posts() && self.contents.are_of(number, post);
        is_same.then_some(()).ok_or_else(|| Error::PostsChanged {
            post: post.id.clone(),
        })
    }

    fn link_of(&self, number: usize, post: &Post) -> Link {
        let candidates = self.contents.candidates(number);
        let picture = self.choices.picture(number);
        let reason = || match candidates.first() {
            Some(&file) => self.choices.refusal(file).map(ToString::to_string),
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
    fn rejects(&self, number: usize, post: &Post) -> Vec<StoreReject> {
        let reject = |(file, refusal): (u32, &Refusal)| StoreReject {
            post_id: post.id.clone(),
            path: self.contents.files[file as usize]
                .to_string_lossy()
                .into_owned(),
            reason: refusal.to_string(),
        };
        self.choices.refused(number).map(reject).collect()
    }
}
