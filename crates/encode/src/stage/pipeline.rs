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
use crate::fault::caught;
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
        let what = || format!("writing the features of `{}`", stage.name);
        let write = move || writing::write(&to_write, writers, when, clock);
        let writing = scope.spawn(move || caught(what, write));
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
        let what = || format!("preparing {}", (stage.name_of)(item));
        let prepared = caught(what, || (stage.prepare)(item));
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use mmfnd_features::Key;

    use super::*;
    use crate::progress::Clocks;

    #[test]
    fn a_content_at_which_preparing_panics_is_an_error_that_names_it() {
        let content = |source: u32| MissingContent {
            key: Key::of(&source.to_le_bytes()),
            source,
            length: 1,
            weight: 1,
            lacking: 1,
        };
        let stage = Stage {
            name: "bert",
            counts_tokens: true,
            batches: vec![
                vec![content(1)],
                vec![content(2), content(3)],
                vec![content(4)],
            ],
            token_states: None,
            maps: None,
            prepare: |item: &MissingContent| {
                assert!(item.source != 3, "not this one");
                Ok(Ok(vec![vec![item.source]]))
            },
            name_of: &|item| format!("text {}", item.source),
            clocks: &Clocks::default(),
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(2)
            .build()
            .unwrap();
        let (ready, to_run) = bounded::<PreparedBatch<u32>>(3);
        produce(&stage, &pool, &ready);
        drop(ready);
        let prepared: Vec<_> = to_run.iter().map(|(_, prepared)| prepared).collect();
        assert!(prepared[0].is_ok() && prepared[2].is_ok());
        let said = prepared[1].as_ref().unwrap_err().to_string();
        assert!(
            said.contains("preparing text 3 failed by a fault"),
            "{said}"
        );
        assert!(said.contains("not this one"), "{said}");
    }
}
