//! The stage of one text encoder.

use std::collections::HashSet;

use mmfnd_features::{EncoderSpec, EncoderWriter, Input, Key};
use mmfnd_posts::Post;
use rayon::prelude::*;

use crate::batches::{Budget, Item};
use crate::encode::Encoders;
use crate::error::Error;
use crate::progress::Clocks;
use crate::scan::Contents;
use crate::stage::{self, Lane, Prepared, Tools, Work};
use crate::summary::EncoderSummary;
use crate::text::{Length, Tokens};

/// About as many tokens as a CPU's caches like at once; more texts than that gain nothing.
const BUDGET: Budget = Budget {
    area: 4096,
    rows: 256,
    enough: 512,
};

/// Encodes the texts that an encoder lacks.
pub(crate) fn encode(
    (posts, contents): (&[Post], &Contents<'_>),
    (encoders, number): (&dyn Encoders, usize),
    writer: &mut EncoderWriter,
    tools: &Tools<'_>,
) -> Result<EncoderSummary, Error> {
    let keys = match writer.spec().input {
        Input::TextOcr => &contents.text_ocr,
        _ => &contents.text,
    };
    let (distinct, sources) = missing(keys, writer.present());
    let mut summary = EncoderSummary::new(writer.spec(), distinct, sources.len());
    if sources.is_empty() {
        writer.clear_plan()?;
        return Ok(summary);
    }
    let texts = Texts {
        posts,
        spec: writer.spec().clone(),
        tokens: encoders.tokens(number)?,
    };
    let items = texts.items(keys, &sources, tools)?;
    summary.truncated = items.iter().filter(|(_, cut_off)| *cut_off).count();
    let items = items.into_iter().map(|(item, _)| item).collect();
    let writers = std::slice::from_mut(writer);
    let clocks = Clocks::default();
    let work = Work {
        name: &texts.spec.name,
        counts_tokens: true,
        batches: stage::plan(items, BUDGET, writers)?,
        prepare: |item: &Item| clocks.prepare.time(|| texts.prepare(item)),
        name_of: &|item| texts.name(item.source),
        clocks: &clocks,
    };
    let mut lanes = [Lane {
        spec: texts.spec.clone(),
        open: Box::new(|| encoders.open_text(number, texts.tokens.pad_id())),
        opened: None,
    }];
    let ran = stage::run(&work, &mut lanes, writers, tools)?;
    writers[0].clear_plan()?;
    summary.add(&ran, 0);
    Ok(summary)
}

/// The texts of posts, as one encoder sees them.
struct Texts<'a> {
    posts: &'a [Post],
    spec: EncoderSpec,
    tokens: Tokens,
}

impl Texts<'_> {
    /// The missing texts with their lengths, and whether something of them is cut off.
    fn items(
        &self,
        keys: &[Key],
        sources: &[u32],
        tools: &Tools<'_>,
    ) -> Result<Vec<(Item, bool)>, Error> {
        let item = |&source: &u32| {
            let length = self.tokens.length(&self.text(source));
            let Length { tokens, truncated } =
                length.map_err(|error| self.failed(source, error))?;
            let item = Item {
                key: keys[source as usize],
                source,
                length: tokens.max(1),
                lacking: 1,
            };
            Ok((item, truncated))
        };
        tools
            .pool
            .install(|| sources.par_iter().map(item).collect())
    }

    fn prepare(&self, item: &Item) -> Result<Prepared<u32>, Error> {
        let ids = self.tokens.ids(&self.text(item.source));
        let ids = ids.map_err(|error| self.failed(item.source, error))?;
        Ok(Ok(vec![ids]))
    }

    fn text(&self, post: u32) -> String {
        let text = self.spec.input.text(&self.posts[post as usize]);
        text.expect("only text encoders come here")
    }

    fn name(&self, post: u32) -> String {
        format!("the text of post `{}`", self.posts[post as usize].id)
    }

    fn failed(&self, post: u32, problem: tokenizers::Error) -> Error {
        Error::Output {
            encoder: self.spec.name.clone(),
            content: self.name(post),
            problem: problem.to_string(),
        }
    }
}

/// How many distinct keys there are, and the first post of each one that is not present.
fn missing(keys: &[Key], present: &HashSet<Key>) -> (usize, Vec<u32>) {
    let mut seen = HashSet::with_capacity(keys.len());
    let mut sources = Vec::new();
    for (post, key) in keys.iter().enumerate() {
        if seen.insert(*key) && !present.contains(key) {
            sources.push(post as u32);
        }
    }
    (seen.len(), sources)
}
