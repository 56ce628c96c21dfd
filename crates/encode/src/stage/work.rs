//! What a stage is about: its batches, how a content is made ready, which encoders run it, and what came of it.

use std::time::Duration;

use mmfnd_features::{EncoderSpec, Key};
use mmfnd_pictures::Refusal;

use super::writing::WriteWhen;
use crate::encoder::Handles;
use crate::error::Error;
use crate::options::Device;
use crate::plan::{Budget, MissingContent};
use crate::progress::{Clocks, Maps, TokenStates};
use crate::workers::Workers;

/// What every stage uses.
pub(crate) struct StageOptions<'a> {
    pub(crate) workers: Workers<'a>,
    pub(crate) device: Device,
    pub(crate) batch_tokens: Option<usize>,
    pub(crate) batch_images: Option<usize>,
    pub(crate) write_when: WriteWhen,
}

impl StageOptions<'_> {
    /// How large batches are on the device.
    pub(crate) fn budget(&self, on_cpu: Budget, on_gpu: Budget) -> Budget {
        match self.device {
            Device::Cpu => on_cpu,
            Device::Cuda => on_gpu,
        }
    }
}

/// One encoder of a stage; its model is opened when a batch lacks it.
pub(crate) struct StageEncoder<'a, E> {
    pub(crate) spec: EncoderSpec,
    /// The states within it, where they are wanted, with the number of their writer.
    pub(crate) states: Option<(usize, EncoderSpec)>,
    pub(crate) open: Box<dyn Fn() -> Result<Handles<E>, Error> + Send + 'a>,
    pub(crate) opened: Handles<E>,
}

/// A content made ready: one input per encoder of the stage (empty where the store has its row already), or why it
/// cannot be used.
pub(crate) type Prepared<E> = Result<Vec<Vec<E>>, Refusal>;

/// A batch's number and its contents, made ready.
pub(crate) type PreparedBatch<E> = (usize, Result<Vec<Prepared<E>>, Error>);

/// What a stage is about.
pub(crate) struct Stage<'a, P> {
    /// Shown with the progress.
    pub(crate) name: &'a str,
    /// Whether lengths are tokens of a text (else every length is one picture).
    pub(crate) counts_tokens: bool,
    pub(crate) batches: Vec<Vec<MissingContent>>,
    /// The states of tokens that will be kept, where some are.
    pub(crate) token_states: Option<TokenStates>,
    /// The maps that will be kept, where some are.
    pub(crate) maps: Option<Maps>,
    /// Makes a content ready; runs on worker threads.
    pub(crate) prepare: P,
    /// Names a content in messages.
    pub(crate) name_of: &'a (dyn Fn(&MissingContent) -> String + Sync),
    pub(crate) clocks: &'a Clocks,
}

/// What came of a stage.
#[derive(Default)]
pub(crate) struct StageResult {
    /// Contents that can be used.
    pub(crate) used: Vec<Key>,
    /// Contents that cannot.
    pub(crate) refused: Vec<(Key, Refusal)>,
    /// Rows that each writer got.
    pub(crate) rows: Vec<usize>,
    pub(crate) tokens: u64,
    pub(crate) computed_tokens: u64,
    pub(crate) time: Duration,
}

impl StageResult {
    pub(crate) fn count(
        &mut self,
        items: &[MissingContent],
        refusals: Vec<Option<Refusal>>,
        counts_tokens: bool,
    ) {
        for (item, refusal) in items.iter().zip(refusals) {
            match refusal {
                None => self.used.push(item.key),
                Some(refusal) => self.refused.push((item.key, refusal)),
            }
        }
        if counts_tokens {
            self.tokens += items.iter().map(|item| u64::from(item.length)).sum::<u64>();
            self.computed_tokens += area(items);
        }
    }
}

/// Longest length times number: what a batch costs.
pub(crate) fn area(items: &[MissingContent]) -> u64 {
    let longest = items.iter().map(|item| u64::from(item.length)).max();
    items.len() as u64 * longest.unwrap_or(0)
}
