//! One stage: batches are prepared on worker threads, run on this one and written by a third, all at once.

use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use mmfnd_features::{EncoderSpec, EncoderWriter, Key, ValueType};
use ndarray::Array2;
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::batches::{Batches, Item, merged};
use crate::decode::Refusal;
use crate::encoder::Encoder;
use crate::error::Error;
use crate::parts::{self, Flush, Rows};
use crate::progress::{Clocks, Progress};

/// Prepared batches that may wait for inference, and finished ones that may wait to be written.
const WAITING: usize = 2;

/// What every stage uses.
pub(crate) struct Tools<'a> {
    pub(crate) pool: ThreadPool,
    pub(crate) flush: Flush,
    pub(crate) on_progress: &'a dyn Fn(&Progress<'_>),
}

type Opened<E> = Box<dyn Encoder<Input = [E]>>;

/// One encoder of a stage; its model is opened when the first batch for it is ready.
pub(crate) struct Lane<'a, E> {
    pub(crate) spec: EncoderSpec,
    pub(crate) open: Box<dyn Fn() -> Result<Opened<E>, Error> + 'a>,
    pub(crate) opened: Option<Opened<E>>,
}

/// A content made ready: one input per lane (empty where that lane has it already), or why it cannot be used.
pub(crate) type Prepared<E> = Result<Vec<Vec<E>>, Refusal>;

/// A batch's number and its contents, made ready.
type Ready<E> = (usize, Result<Vec<Prepared<E>>, Error>);

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
    pub(crate) name_of: &'a dyn Fn(&Item) -> String,
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
    budget: crate::batches::Budget,
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
    let (ready, to_run) = bounded(WAITING);
    let (finished, to_write) = bounded(WAITING);
    let (batches, prepare, pool) = (&work.batches, &work.prepare, &tools.pool);
    thread::scope(|scope| {
        scope.spawn(move || produce(batches, prepare, pool, &ready));
        let (clock, flush) = (&work.clocks.write, tools.flush);
        let writing = scope.spawn(move || parts::write(&to_write, writers, flush, clock));
        let outcome = infer(work, lanes, (to_run, finished), tools.on_progress);
        match writing.join() {
            Ok(written) => written.and(outcome),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Prepares batch after batch, each on all workers; stops when nobody waits for it any more.
fn produce<E, P>(batches: &[Vec<Item>], prepare: &P, pool: &ThreadPool, ready: &Sender<Ready<E>>)
where
    E: Send,
    P: Fn(&Item) -> Result<Prepared<E>, Error> + Sync,
{
    for (number, batch) in batches.iter().enumerate() {
        let prepared = pool.install(|| batch.par_iter().map(prepare).collect());
        if ready.send((number, prepared)).is_err() {
            return;
        }
    }
}

type Ends<E> = (Receiver<Ready<E>>, Sender<Rows>);

fn infer<E, P>(
    work: &Work<'_, P>,
    lanes: &mut [Lane<'_, E>],
    (to_run, finished): Ends<E>,
    on_progress: &dyn Fn(&Progress<'_>),
) -> Result<Ran, Error> {
    let mut ran = Ran {
        rows: vec![0; lanes.len()],
        ..Ran::default()
    };
    let mut tally = Tally::new(&work.batches);
    tally.report(work, &ran, on_progress);
    for (number, prepared) in to_run {
        let items = &work.batches[number];
        let prepared = prepared?;
        for (lane_number, lane) in lanes.iter_mut().enumerate() {
            let Some(rows) = run_lane(work, (lane_number, lane), items, &prepared)? else {
                continue;
            };
            ran.rows[lane_number] += rows.keys.len();
            // The writer is gone only after an error of its own, which `run` returns.
            if finished.send(rows).is_err() {
                return Ok(ran);
            }
        }
        ran.count(items, prepared, work.counts_tokens);
        tally.done_area += area(items);
        ran.time = tally.started.elapsed();
        tally.report(work, &ran, on_progress);
    }
    Ok(ran)
}

/// One batch through one encoder: only what that encoder lacks and what could be made ready.
fn run_lane<E, P>(
    work: &Work<'_, P>,
    (number, lane): (usize, &mut Lane<'_, E>),
    items: &[Item],
    prepared: &[Prepared<E>],
) -> Result<Option<Rows>, Error> {
    let lacks = |item: &Item| item.lacking & (1 << number) != 0;
    let given = items.iter().zip(prepared).filter(|(item, _)| lacks(item));
    let (wanted, inputs): (Vec<&Item>, Vec<&[E]>) = given
        .filter_map(|(item, prepared)| {
            let inputs = prepared.as_ref().ok()?;
            Some((item, inputs[number].as_slice()))
        })
        .unzip();
    if wanted.is_empty() {
        return Ok(None);
    }
    let encoder = match &mut lane.opened {
        Some(encoder) => encoder,
        none => none.insert((lane.open)()?),
    };
    let values = work.clocks.run.time(|| encoder.encode(&inputs))?;
    let values = checked(&lane.spec, &wanted, values, work.name_of)?;
    Ok(Some(Rows {
        lane: number,
        keys: wanted.iter().map(|item| item.key).collect(),
        values,
    }))
}

/// The values of a batch, if the store may hold them.
fn checked(
    spec: &EncoderSpec,
    items: &[&Item],
    values: Array2<f32>,
    name_of: &dyn Fn(&Item) -> String,
) -> Result<Vec<f32>, Error> {
    let failed = |content: String, problem: String| Error::Output {
        encoder: spec.name.clone(),
        content,
        problem,
    };
    let width: usize = spec.shape.iter().product();
    if values.dim() != (items.len(), width) {
        let problem = format!(
            "{:?} values for {} contents of {width}; correct `shape` in the preset",
            values.dim(),
            items.len()
        );
        return Err(failed(format!("a batch of {}", items.len()), problem));
    }
    let values: Vec<f32> = match values.is_standard_layout() {
        true => values.into_raw_vec_and_offset().0,
        false => values.iter().copied().collect(),
    };
    for (item, row) in items.iter().zip(values.chunks_exact(width)) {
        if let Some(problem) = unfit_value(row, spec.value_type) {
            return Err(failed(name_of(item), problem));
        }
    }
    Ok(values)
}

/// A value that the store must not hold.
fn unfit_value(row: &[f32], value_type: ValueType) -> Option<String> {
    /// The largest float16.
    const LARGEST: f32 = 65_504.0;
    if let Some(value) = row.iter().find(|value| !value.is_finite()) {
        return Some(format!(
            "it gave {value}; the model or its precision is unfit for this content"
        ));
    }
    let is_half = value_type == ValueType::F16;
    let large = row.iter().find(|value| is_half && value.abs() > LARGEST)?;
    Some(format!(
        "{large} does not fit into float16; use `--values f32`"
    ))
}

impl Ran {
    fn count<E>(&mut self, items: &[Item], prepared: Vec<Prepared<E>>, counts_tokens: bool) {
        for (item, prepared) in items.iter().zip(prepared) {
            match prepared {
                Ok(_) => self.used.push(item.key),
                Err(refusal) => self.refused.push((item.key, refusal)),
            }
        }
        if counts_tokens {
            self.tokens += items.iter().map(|item| u64::from(item.length)).sum::<u64>();
            self.computed_tokens += area(items);
        }
    }
}

/// Longest length times number: what a batch costs.
fn area(items: &[Item]) -> u64 {
    let longest = items.iter().map(|item| u64::from(item.length)).max();
    items.len() as u64 * longest.unwrap_or(0)
}

/// How much there is to do, and how much of it is done.
struct Tally {
    started: Instant,
    total: usize,
    total_area: u64,
    done_area: u64,
}

impl Tally {
    fn new(batches: &[Vec<Item>]) -> Self {
        Self {
            started: Instant::now(),
            total: batches.iter().map(Vec::len).sum(),
            total_area: batches.iter().map(|batch| area(batch)).sum(),
            done_area: 0,
        }
    }

    fn report<P>(&self, work: &Work<'_, P>, ran: &Ran, on_progress: &dyn Fn(&Progress<'_>)) {
        let done = (ran.used.len() + ran.refused.len()) as u64;
        let elapsed = self.started.elapsed();
        // Long batches come first: what is left is measured in tokens, not in contents.
        let left = (self.total_area - self.done_area) as f64;
        let eta = || elapsed.mul_f64(left / self.done_area as f64);
        on_progress(&Progress {
            stage: work.name,
            done,
            total: self.total as u64,
            tokens: ran.tokens,
            computed_tokens: ran.computed_tokens,
            images: if work.counts_tokens { 0 } else { done },
            elapsed,
            times: work.clocks.times(),
            eta: (self.done_area > 0).then(eta),
        });
    }
}
