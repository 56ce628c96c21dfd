//! The stage of one text encoder.

use mmfnd_features::{EncoderSpec, EncoderWriter};
use mmfnd_posts::PostSource;
use rayon::prelude::*;

use super::pipeline;
use super::summary::EncoderSummary;
use super::work::{Prepared, Stage, StageEncoder, StageOptions};
use crate::contents::Contents;
use crate::encoder::{Encoders, Length, Tokens};
use crate::error::Error;
use crate::fault::caught;
use crate::plan::{Budget, MissingContent, write_plan};
use crate::progress::Clocks;
use crate::workers::Workers;

/// Encodes the texts that an encoder lacks.
pub(crate) fn encode_texts(
    (posts, contents): (PostSource<'_>, &Contents),
    (encoders, number): (&dyn Encoders, usize),
    writer: &mut EncoderWriter,
    options: &StageOptions<'_>,
) -> Result<EncoderSummary, Error> {
    let (distinct, sources) = missing(contents, writer);
    let mut summary = EncoderSummary::new(writer.spec(), distinct, sources.len());
    if sources.is_empty() {
        writer.clear_plan()?;
        return Ok(summary);
    }
    if let Some(machine) = encoders.machine()? {
        writer.set_machine(machine);
    }
    summary.made_by(writer);
    let texts = Texts {
        posts,
        contents,
        spec: writer.spec().clone(),
        tokens: encoders.tokens(number)?,
    };
    let items = texts.items(&sources, &options.workers)?;
    summary.truncated = items.iter().filter(|(_, cut_off)| *cut_off).count();
    let items = items.into_iter().map(|(item, _)| item).collect();
    let writers = std::slice::from_mut(writer);
    let clocks = Clocks::default();
    let budget = options
        .budget(Budget::TEXTS_ON_CPU, Budget::TEXTS_ON_GPU)
        .with_area(options.batch_tokens);
    let stage = Stage {
        name: &texts.spec.name,
        counts_tokens: true,
        batches: write_plan(items, budget, writers)?,
        prepare: |item: &MissingContent| clocks.prepare.time(|| texts.prepare(item)),
        name_of: &|item| texts.name(item.source),
        clocks: &clocks,
    };
    let mut stage_encoders = [StageEncoder {
        spec: texts.spec.clone(),
        open: Box::new(|| encoders.open_text(number, texts.tokens.pad_id())),
        opened: Vec::new(),
    }];
    let result = pipeline::run(&stage, &mut stage_encoders, writers, options)?;
    writers[0].clear_plan()?;
    summary.add(&result, 0);
    Ok(summary)
}

/// The texts of posts, as one encoder sees them.
struct Texts<'a> {
    posts: PostSource<'a>,
    contents: &'a Contents,
    spec: EncoderSpec,
    tokens: Tokens,
}

impl Texts<'_> {
    /// The missing texts with their lengths, and whether something of them is cut off.
    fn items(
        &self,
        sources: &[u32],
        workers: &Workers<'_>,
    ) -> Result<Vec<(MissingContent, bool)>, Error> {
        let length = |source: u32| {
            let length = self.tokens.length(&self.text(source)?);
            length.map_err(|error| self.failed(source, error))
        };
        let item = |&source: &u32| {
            let what = || format!("tokenising {}", self.name(source));
            let Length { tokens, truncated } = caught(what, || length(source))?;
            let item = MissingContent {
                key: self.contents.text(source as usize, self.spec.input),
                source,
                length: tokens.max(1),
                weight: tokens.max(1),
                lacking: 1,
            };
            Ok((item, truncated))
        };
        workers
            .pool
            .install(|| sources.par_iter().map(item).collect())
    }

    fn prepare(&self, item: &MissingContent) -> Result<Prepared<u32>, Error> {
        let ids = self.tokens.ids(&self.text(item.source)?);
        let ids = ids.map_err(|error| self.failed(item.source, error))?;
        Ok(Ok(vec![ids]))
    }

    fn text(&self, post: u32) -> Result<String, Error> {
        self.contents.texts.read(post, self.spec.input)
    }

    fn name(&self, post: u32) -> String {
        format!("the text of post `{}`", self.posts.id_of(post as usize))
    }

    fn failed(&self, post: u32, problem: tokenizers::Error) -> Error {
        Error::Output {
            encoder: self.spec.name.clone(),
            content: self.name(post),
            problem: problem.to_string(),
        }
    }
}

/// How many distinct texts of this run there are, and the first post of each one that has no row.
fn missing(contents: &Contents, writer: &EncoderWriter) -> (usize, Vec<u32>) {
    let key = |post: u32| contents.text(post as usize, writer.spec().input);
    let mut posts: Vec<u32> = (0..contents.posts() as u32)
        .filter(|&post| contents.is_our_text(&key(post)))
        .collect();
    posts.sort_unstable_by_key(|&post| (key(post), post));
    posts.dedup_by_key(|post| key(*post));
    let distinct = posts.len();
    posts.retain(|&post| !writer.present().contains(&key(post)));
    posts.sort_unstable();
    (distinct, posts)
}
