//! One stage: batches are prepared on worker threads, run by as many threads as the encoders have handles, and written
//! by another, all at once.

use std::thread;

use crossbeam_channel::{Sender, bounded};
use mmfnd_features::EncoderWriter;
use rayon::ThreadPool;
use rayon::prelude::*;

use super::work::{Prepared, PreparedBatch, Stage, StageEncoder, StageOptions, StageResult};
use super::{inference, writing};
use crate::error::Error;
use crate::plan::MissingContent;

/// Finished batches that may wait to be written.
const WAITING: usize = 2;

/// Runs all batches. Whatever was finished before an error is in the store.
pub(crate) fn run<E, P>(
    stage: &Stage<'_, P>,
    encoders: &mut [StageEncoder<'_, E>],
    writers: &mut [EncoderWriter],
    options: &StageOptions<'_>,
) -> Result<StageResult, Error>
where
    E: Send,
    P: Fn(&MissingContent) -> Result<Prepared<E>, Error> + Sync,
{
    // As many prepared batches may wait as may run at once.
    let (ready, to_run) = bounded(options.workers.pool.current_num_threads());
    let (finished, to_write) = bounded(WAITING);
    let pool = &options.workers.pool;
    thread::scope(|scope| {
        scope.spawn(move || produce(stage, pool, &ready));
        let (clock, when) = (&stage.clocks.write, options.write_when);
        let writing = scope.spawn(move || writing::write(&to_write, writers, when, clock));
        let outcome = inference::run(
            stage,
            encoders,
            (to_run, finished),
            options.workers.on_progress,
        );
        match writing.join() {
            Ok(written) => written.and(outcome),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Prepares batch after batch, each on all workers; stops when nobody waits for it any more.
fn produce<E, P>(stage: &Stage<'_, P>, pool: &ThreadPool, ready: &Sender<PreparedBatch<E>>)
where
    E: Send,
    P: Fn(&MissingContent) -> Result<Prepared<E>, Error> + Sync,
{
    let prepare = |item: &MissingContent| {
        let prepared = (stage.prepare)(item);
        stage.clocks.prepared.add(item.weight);
        prepared
    };
    for (number, batch) in stage.batches.iter().enumerate() {
        let prepared = pool.install(|| batch.par_iter().map(prepare).collect());
        if ready.send((number, prepared)).is_err() {
            return;
        }
    }
}
