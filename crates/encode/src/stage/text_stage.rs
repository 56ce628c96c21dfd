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
use crate::progress::{Clocks, TokenStates};
use crate::workers::Workers;

/// Encodes the texts that an encoder lacks; the second writer, where there is one, is that of the states of its tokens,
/// which come from the same pass.
pub(crate) fn encode_texts(
    (posts, contents): (PostSource<'_>, &Contents),
    (encoders, number): (&dyn Encoders, usize),
    writers: &mut [EncoderWriter],
    options: &StageOptions<'_>,
) -> Result<Vec<EncoderSummary>, Error> {
    let (distinct, sources) = missing(contents, writers);
    let summary = |(number, writer): (usize, &EncoderWriter)| {
        let lacking = sources
            .iter()
            .filter(|(_, lacking)| lacking & (1 << number) != 0);
        EncoderSummary::new(writer.spec(), distinct, lacking.count())
    };
    let mut summaries: Vec<_> = writers.iter().enumerate().map(summary).collect();
    if sources.is_empty() {
        for writer in writers {
            writer.clear_plan()?;
        }
        return Ok(summaries);
    }
    if let Some(machine) = encoders.machine()? {
        for writer in writers.iter_mut() {
            writer.set_machine(machine.clone());
        }
    }
    for (summary, writer) in summaries.iter_mut().zip(writers.iter()) {
        summary.made_by(writer);
    }
    let writer = &writers[0];
    let texts = Texts {
        posts,
        contents,
        spec: writer.spec().clone(),
        tokens: encoders.tokens(number)?,
    };
    let items = texts.items(&sources, &options.workers)?;
    summaries[0].truncated = items.iter().filter(|(_, cut_off)| *cut_off).count();
    let items: Vec<_> = items.into_iter().map(|(item, _)| item).collect();
    let mut token_states = None;
    if let [_, states] = &*writers {
        let spec = states.spec();
        let kept = items.iter().filter(|item| item.lacking & 2 != 0);
        let kept = kept.map(|item| u64::from(item.length).min(spec.shape[0] as u64));
        let (texts, tokens) = kept.fold((0, 0), |(texts, sum), tokens| (texts + 1, sum + tokens));
        let bytes = tokens * (spec.token_width() * spec.value_type.bytes()) as u64;
        let cut = items
            .iter()
            .filter(|item| item.length as usize > spec.shape[0]);
        summaries[1].truncated = cut.count();
        token_states = Some(TokenStates {
            texts,
            tokens,
            bytes,
        });
    }
    let clocks = Clocks::default();
    let budget = options
        .budget(Budget::TEXTS_ON_CPU, Budget::TEXTS_ON_GPU)
        .with_area(options.batch_tokens);
    let stage = Stage {
        name: &texts.spec.name,
        counts_tokens: true,
        batches: write_plan(items, budget, writers)?,
        token_states,
        maps: None,
        prepare: |item: &MissingContent| clocks.prepare.time(|| texts.prepare(item)),
        name_of: &|item| texts.name(item.source),
        clocks: &clocks,
    };
    let mut stage_encoders = [StageEncoder {
        spec: texts.spec.clone(),
        states: writers.get(1).map(|writer| (1, writer.spec().clone())),
        open: Box::new(|| encoders.open_text(number, texts.tokens.pad_id())),
        opened: Vec::new(),
    }];
    let result = pipeline::run(&stage, &mut stage_encoders, writers, options)?;
    for writer in writers {
        writer.clear_plan()?;
    }
    for (number, summary) in summaries.iter_mut().enumerate() {
        summary.add(&result, number);
    }
    Ok(summaries)
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
        sources: &[(u32, u32)],
        workers: &Workers<'_>,
    ) -> Result<Vec<(MissingContent, bool)>, Error> {
        let length = |source: u32| {
            let length = self.tokens.length(&self.text(source)?);
            length.map_err(|error| self.failed(source, error))
        };
        let item = |&(source, lacking): &(u32, u32)| {
            let what = || format!("tokenising {}", self.name(source));
            let Length { tokens, truncated } = caught(what, || length(source))?;
            let item = MissingContent {
                key: self.contents.text(source as usize, self.spec.input),
                source,
                length: tokens.max(1),
                weight: tokens.max(1),
                lacking,
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

/// How many distinct texts of this run there are, and the first post of each one that has no row with some writer, with
/// a bit for each such writer.
fn missing(contents: &Contents, writers: &[EncoderWriter]) -> (usize, Vec<(u32, u32)>) {
    let input = writers[0].spec().input;
    let key = |post: u32| contents.text(post as usize, input);
    let mut posts: Vec<u32> = (0..contents.posts() as u32)
        .filter(|&post| contents.is_our_text(&key(post)))
        .collect();
    posts.sort_unstable_by_key(|&post| (key(post), post));
    posts.dedup_by_key(|post| key(*post));
    let distinct = posts.len();
    let lacking = |&post: &u32| {
        let key = key(post);
        let writers = writers.iter().enumerate();
        let lacking = writers.filter(|(_, writer)| !writer.present().contains(&key));
        let bits = lacking.fold(0, |bits, (number, _)| bits | 1 << number);
        (bits != 0).then_some((post, bits))
    };
    let mut lacking: Vec<_> = posts.iter().filter_map(lacking).collect();
    lacking.sort_unstable();
    (distinct, lacking)
}
