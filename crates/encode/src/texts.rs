//! The stage of one text encoder.

use std::collections::HashSet;

use mmfnd_features::{EncoderWriter, Input, Key};
use mmfnd_posts::Post;
use rayon::prelude::*;

use crate::batches::{Budget, Item};
use crate::encode::Encoders;
use crate::error::Error;
use crate::progress::Clocks;
use crate::scan::Contents;
use crate::stage::{self, Lane, Tools, Work};
use crate::summary::EncoderSummary;
use crate::text::Tokens;

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
    let spec = writer.spec().clone();
    let keys = match spec.input {
        Input::TextOcr => &contents.text_ocr,
        _ => &contents.text,
    };
    let (distinct, sources) = missing(keys, writer.present());
    let mut summary = EncoderSummary::new(&spec, distinct, sources.len());
    if sources.is_empty() {
        writer.clear_plan()?;
        return Ok(summary);
    }
    let tokens = encoders.tokens(number)?;
    let text_of = |post: u32| spec.input.text(&posts[post as usize]).unwrap_or_default();
    let failed = |post: u32, problem: tokenizers::Error| Error::Output {
        encoder: spec.name.clone(),
        content: format!("the text of post `{}`", posts[post as usize].id),
        problem: problem.to_string(),
    };
    let measure = |&post: &u32| measured(&tokens, &text_of(post)).map_err(|e| failed(post, e));
    let lengths: Vec<(u32, bool)> = tools
        .pool
        .install(|| sources.par_iter().map(measure).collect::<Result<_, _>>())?;
    summary.truncated = lengths.iter().filter(|(_, truncated)| *truncated).count();
    let items = sources
        .iter()
        .zip(&lengths)
        .map(|(&source, &(length, _))| Item {
            key: keys[source as usize],
            source,
            length,
            lacking: 1,
        });
    let writers = std::slice::from_mut(writer);
    let clocks = Clocks::default();
    let work = Work {
        name: &spec.name,
        counts_tokens: true,
        batches: stage::plan(items.collect(), BUDGET, writers)?,
        prepare: |item: &Item| {
            let ids = clocks.prepare.time(|| tokens.ids(&text_of(item.source)));
            Ok(Ok(vec![ids.map_err(|error| failed(item.source, error))?]))
        },
        name_of: &|item| format!("the text of post `{}`", posts[item.source as usize].id),
        clocks: &clocks,
    };
    let mut lanes = [Lane {
        spec: spec.clone(),
        open: Box::new(|| encoders.open_text(number, tokens.pad_id())),
        opened: None,
    }];
    let ran = stage::run(&work, &mut lanes, writers, tools)?;
    writers[0].clear_plan()?;
    summary.add(&ran, 0);
    Ok(summary)
}

fn measured(tokens: &Tokens, text: &str) -> tokenizers::Result<(u32, bool)> {
    let length = tokens.length(text)?;
    Ok((length.tokens.max(1), length.truncated))
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
