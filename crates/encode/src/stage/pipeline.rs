//! One stage: batches are prepared on worker threads, run by as many threads as the encoders have handles, and written by another, all at once.

use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use mmfnd_features::{EncoderSpec, EncoderWriter, Key};
use mmfnd_pictures::Refusal;
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::batches::{Batches, Budget, Item, merged};
use crate::encoder::Handles;
use crate::error::Error;
use crate::parts::{self, Flush};
use crate::progress::{Clocks, Progress, Share, weighted_time_to_go};
use crate::runners;
use crate::session::Device;

/// Finished batches that may wait to be written.
const WAITING: usize = 2;

/// What every stage uses.
pub(crate) struct Tools<'a> {
    pub(crate) device: Device,
    pub(crate) batch_tokens: Option<usize>,
    pub(crate) batch_images: Option<usize>,
    pub(crate) pool: ThreadPool,
    pub(crate) flush: Flush,
    pub(crate) on_progress: &'a dyn Fn(&Progress<'_>),
}

impl Tools<'_> {
    /// How large batches are on the device.
    pub(crate) fn budget(&self, on_cpu: Budget, on_gpu: Budget) -> Budget {
        match self.device {
            Device::Cpu => on_cpu,
            Device::Cuda => on_gpu,
        }
    }
}

/// One encoder of a stage; its model is opened when a batch lacks it.
pub(crate) struct Lane<'a, E> {
    pub(crate) spec: EncoderSpec,
    pub(crate) open: Box<dyn Fn() -> Result<Handles<E>, Error> + Send + 'a>,
    pub(crate) opened: Handles<E>,
}

/// A content made ready: one input per lane (empty where that lane has it already), or why it cannot be used.
pub(crate) type Prepared<E> = Result<Vec<Vec<E>>, Refusal>;

/// A batch's number and its contents, made ready.
pub(crate) type Ready<E> = (usize, Result<Vec<Prepared<E>>, Error>);

/// What a stage is about.
pub(crate) struct Work<'a, P> {
    /// Shown with the progress.
    pub(crate) name: &'a str,
    /// Whether lengths are tokens of a text (else every length is one picture).
    pub(crate) counts_tokens: bool,
    pub(crate) batches: Vec<Vec<Item>>,
    /// Makes a content ready; runs on worker threads.
    pub(crate) prepare: P,
    /// Names a content in messages.
    pub(crate) name_of: &'a (dyn Fn(&Item) -> String + Sync),
    pub(crate) clocks: &'a Clocks,
}

/// What came of a stage.
#[derive(Default)]
pub(crate) struct Ran {
    /// Contents that can be used.
    pub(crate) used: Vec<Key>,
    /// Contents that cannot.
    pub(crate) refused: Vec<(Key, Refusal)>,
    /// Rows that each lane got.
    pub(crate) rows: Vec<usize>,
    pub(crate) tokens: u64,
    pub(crate) computed_tokens: u64,
    pub(crate) time: Duration,
}

/// Repeats unfinished batches and cuts the rest into new ones; the plan is on disk when this returns.
pub(crate) fn plan(
    missing: Vec<Item>,
    budget: Budget,
    writers: &mut [EncoderWriter],
) -> Result<Vec<Vec<Item>>, Error> {
    let mut unfinished = Vec::with_capacity(writers.len());
    for writer in writers.iter() {
        unfinished.push(writer.plan()?);
    }
    let batches = Batches::new(missing, merged(unfinished), budget);
    if !batches.run.is_empty() {
        for writer in writers {
            writer.set_plan(&batches.plan)?;
        }
    }
    Ok(batches.run)
}

/// Runs all batches. Whatever was finished before an error is in the store.
pub(crate) fn run<E, P>(
    work: &Work<'_, P>,
    lanes: &mut [Lane<'_, E>],
    writers: &mut [EncoderWriter],
    tools: &Tools<'_>,
) -> Result<Ran, Error>
where
    E: Send,
    P: Fn(&Item) -> Result<Prepared<E>, Error> + Sync,
{
    // As many prepared batches may wait as may run at once.
    let (ready, to_run) = bounded(tools.pool.current_num_threads());
    let (finished, to_write) = bounded(WAITING);
    let pool = &tools.pool;
    thread::scope(|scope| {
        scope.spawn(move || produce(work, pool, &ready));
        let (clock, flush) = (&work.clocks.write, tools.flush);
        let writing = scope.spawn(move || parts::write(&to_write, writers, flush, clock));
        let outcome = runners::run(work, lanes, (to_run, finished), tools.on_progress);
        match writing.join() {
            Ok(written) => written.and(outcome),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Prepares batch after batch, each on all workers; stops when nobody waits for it any more.
fn produce<E, P>(work: &Work<'_, P>, pool: &ThreadPool, ready: &Sender<Ready<E>>)
where
    E: Send,
    P: Fn(&Item) -> Result<Prepared<E>, Error> + Sync,
{
    let prepare = |item: &Item| {
        let prepared = (work.prepare)(item);
        work.clocks.prepared.add(item.weight);
        prepared
    };
    for (number, batch) in work.batches.iter().enumerate() {
        let prepared = pool.install(|| batch.par_iter().map(prepare).collect());
        if ready.send((number, prepared)).is_err() {
            return;
        }
    }
}

impl Ran {
    pub(crate) fn count(
        &mut self,
        items: &[Item],
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
pub(crate) fn area(items: &[Item]) -> u64 {
    let longest = items.iter().map(|item| u64::from(item.length)).max();
    items.len() as u64 * longest.unwrap_or(0)
}

/// How much there is to do, and how much of it is done.
pub(crate) struct Tally {
    pub(crate) started: Instant,
    total: usize,
    total_area: u64,
    pub(crate) done_area: u64,
    total_weight: u64,
}

impl Tally {
    pub(crate) fn new(batches: &[Vec<Item>]) -> Self {
        Self {
            started: Instant::now(),
            total: batches.iter().map(Vec::len).sum(),
            total_area: batches.iter().map(|batch| area(batch)).sum(),
            done_area: 0,
            total_weight: batches
                .iter()
                .flatten()
                .map(|item| u64::from(item.weight))
                .sum(),
        }
    }

    pub(crate) fn report<P>(
        &self,
        work: &Work<'_, P>,
        ran: &Ran,
        on_progress: &dyn Fn(&Progress<'_>),
    ) {
        let done = (ran.used.len() + ran.refused.len()) as u64;
        let elapsed = self.started.elapsed();
        let times = work.clocks.times();
        // Long batches come first, and pictures differ in size: what is left is measured in tokens and pixels, not in contents.
        let to_run = Share::new(self.done_area, self.total_area);
        let to_prepare = Share::new(work.clocks.prepared.get(), self.total_weight);
        on_progress(&Progress {
            stage: work.name,
            done,
            total: self.total as u64,
            tokens: ran.tokens,
            computed_tokens: ran.computed_tokens,
            images: if work.counts_tokens { 0 } else { done },
            elapsed,
            times,
            eta: weighted_time_to_go(elapsed, &times, to_run, to_prepare),
        });
    }
}
