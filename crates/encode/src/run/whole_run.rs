//! The run: encode what the posts contain and the store lacks, then link the posts to it.

use std::collections::{BTreeMap, HashSet};

use mmfnd_features::{EncoderWriter, Input, Key, KeySet, StoreWriter};
use mmfnd_posts::PostSource;
use rayon::prelude::*;

use super::links::Links;
use crate::contents::Contents;
use crate::encoder::Encoders;
use crate::error::Error;
use crate::stage::{Choices, EncoderSummary, StageOptions, Summary, encode_pictures, encode_texts};

/// A run: encodes, then links.
pub(crate) struct Run<'a> {
    pub(crate) posts: PostSource<'a>,
    pub(crate) encoders: &'a dyn Encoders,
    pub(crate) contents: &'a Contents,
    pub(crate) options: &'a StageOptions<'a>,
}

impl Run<'_> {
    /// `writers` are in the order of the encoders' numbers, those of the states within them have the number of
    /// their encoder. What a writer knows of its store goes with it as soon as its encoder is done.
    pub(crate) fn encode(
        &self,
        store: &mut StoreWriter,
        (mut writers, mut state_writers): (Vec<EncoderWriter>, BTreeMap<usize, EncoderWriter>),
    ) -> Result<Summary, Error> {
        let known = decoded_before(store.linked_pictures()?, &writers);
        let mut choices = Choices::new(self.contents, known);
        self.check((&mut writers, &mut state_writers), &choices)?;
        let numbered = writers.into_iter().enumerate();
        let (pictures, texts): (Vec<_>, Vec<_>) =
            numbered.partition(|(_, writer)| writer.spec().input == Input::Image);
        let mut summaries = Vec::new();
        for (number, writer) in texts {
            let given = (self.posts, self.contents);
            let mut writers = vec![writer];
            writers.extend(state_writers.remove(&number));
            let encoder = (self.encoders, number);
            let of_encoder = encode_texts(given, encoder, &mut writers, self.options)?;
            summaries.extend(of_encoder.into_iter().map(|summary| (number, summary)));
        }
        let encoders = pictures.len();
        let writers = pictures.into_iter().chain(state_writers);
        let writers = (encoders, writers.unzip());
        summaries.extend(self.encode_pictures(&mut choices, writers)?);
        summaries.sort_by_key(|(number, _)| *number);
        let links = Links {
            posts: self.posts,
            contents: self.contents,
            choices: &choices,
        };
        let (linked, rejects) = links.write(store)?;
        store.write_rejects(&rejects)?;
        let mut summary = self.count(&choices);
        summary.linked = linked;
        summary.encoders = summaries.into_iter().map(|(_, one)| one).collect();
        Ok(summary)
    }

    /// A missing or wrong file is found before the hours of work that come first.
    fn check(
        &self,
        (writers, state_writers): (&mut [EncoderWriter], &mut BTreeMap<usize, EncoderWriter>),
        choices: &Choices<'_>,
    ) -> Result<(), Error> {
        let lacks = |number: usize, writer: &EncoderWriter| {
            let mut writers = [Some(writer), state_writers.get(&number)]
                .into_iter()
                .flatten();
            writers.any(|writer| self.is_lacking(writer, choices))
        };
        let numbered = writers.iter().enumerate();
        let lacking: Vec<usize> = numbered
            .filter(|(number, writer)| lacks(*number, writer))
            .map(|(number, _)| number)
            .collect();
        // Checksums of a gigabyte: each encoder's on a thread.
        let check = |number: &usize| self.encoders.check(*number);
        self.options
            .workers
            .pool
            .install(|| lacking.par_iter().try_for_each(check))?;
        for (number, writer) in writers.iter_mut().enumerate() {
            let is_named = self.encoders.specs()[number].classifier_sha256.is_some();
            // Also where no row is missing: a deleted or damaged layer has no other remedy.
            let is_wanted = is_named && (lacking.contains(&number) || !writer.has_classifier()?);
            if is_wanted && let Some(bytes) = self.encoders.classifier(number)? {
                writer.set_classifier_bytes(&bytes)?;
            }
        }
        for (&number, writer) in state_writers.iter_mut() {
            let is_named = writer.spec().input == Input::Image;
            let is_wanted = is_named && (lacking.contains(&number) || !writer.has_classifier()?);
            if is_wanted && let Some(bytes) = self.encoders.backbone(number)? {
                writer.set_classifier_bytes(&bytes)?;
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
                let mut texts = self.text_keys(input);
                texts.any(|key| !present.contains(&key))
            }
        }
    }

    /// Keys of this run's texts, as encoders with this input see them, one for each post.
    pub(super) fn text_keys(&self, input: Input) -> impl Iterator<Item = Key> {
        let keys = (0..self.contents.posts()).map(move |post| self.contents.text(post, input));
        keys.filter(|key| self.contents.is_our_text(key))
    }

    /// The first writers are those of so many image encoders; behind them come those of maps.
    fn encode_pictures(
        &self,
        choices: &mut Choices<'_>,
        (encoders, (numbers, mut writers)): (usize, (Vec<usize>, Vec<EncoderWriter>)),
    ) -> Result<Vec<(usize, EncoderSummary)>, Error> {
        let given = (self.encoders, &numbers[..encoders]);
        let result = encode_pictures(choices, given, &mut writers, self.options)?;
        let used = self.pictures(choices).len();
        let summaries = numbers.iter().zip(&writers).zip(&result.rows);
        Ok(summaries
            .map(|((&number, writer), &rows)| {
                let mut summary = EncoderSummary::new(writer.spec(), used, rows);
                summary.encoded = rows;
                if rows > 0 {
                    summary.made_by(writer);
                }
                summary.time = result.time;
                (number, summary)
            })
            .collect())
    }

    /// The distinct pictures that stand for posts.
    pub(super) fn pictures(&self, choices: &Choices<'_>) -> HashSet<Key> {
        let posts = self.contents.our_posts();
        posts
            .filter_map(|post| choices.picture(post))
            .map(|(key, _)| key)
            .collect()
    }

    /// How many distinct texts there are.
    fn texts(&self) -> usize {
        let ours: Vec<Key> = self.text_keys(Input::Text).collect();
        KeySet::from(ours).len()
    }

    pub(super) fn count(&self, choices: &Choices<'_>) -> Summary {
        let mut rejects: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut counted = HashSet::new();
        let mut without = 0;
        let mut posts = 0;
        for post in self.contents.our_posts() {
            posts += 1;
            without += usize::from(choices.picture(post).is_none());
            for (file, refusal) in choices.refused(post) {
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
