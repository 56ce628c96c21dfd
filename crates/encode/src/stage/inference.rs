//! Inference of a stage: as many threads as the encoders have handles take one prepared batch after the other.
//!
//! Results go on in the order of the plan, whoever was faster, so that a store depends on its batches alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use mmfnd_features::{EncoderSpec, Key, ValueType};
use mmfnd_pictures::Refusal;
use ndarray::Array2;

use super::stage_progress::StageProgress;
use super::work::{Prepared, PreparedBatch, Stage, StageEncoder, StageResult, area};
use super::writing::Rows;
use crate::encoder::{Encoded, Handle};
use crate::error::Error;
use crate::fault::caught;
use crate::plan::MissingContent;
use crate::progress::Progress;

/// Where prepared batches come from, and where rows go to.
type Ends<E> = (Receiver<PreparedBatch<E>>, Sender<Rows>);

/// What came of one batch.
struct Done {
    /// Of every encoder that was finished, also where a later one failed.
    rows: Vec<Rows>,
    /// For each content why it cannot be used, if it cannot.
    refusals: Result<Vec<Option<Refusal>>, Error>,
}

/// What an encoder's rows are, and the number of their writer; the same of the states within it.
struct Specs {
    number: usize,
    spec: EncoderSpec,
    states: Option<(usize, EncoderSpec)>,
}

/// One worker's handles, by encoder; none of an encoder that no batch lacks.
type WorkerHandles<'a, E> = Vec<Option<&'a mut Handle<E>>>;

/// Runs all batches; the calling thread counts, reports and hands rows to the writer.
pub(crate) fn run<E: Send, P: Sync>(
    stage: &Stage<'_, P>,
    encoders: &mut [StageEncoder<'_, E>],
    (to_run, finished): Ends<E>,
    on_progress: &dyn Fn(&Progress<'_>),
) -> Result<StageResult, Error> {
    let with_states = encoders.iter().filter(|encoder| encoder.states.is_some());
    let result = StageResult {
        rows: vec![0; encoders.len() + with_states.count()],
        ..StageResult::default()
    };
    let progress = StageProgress::new(&stage.batches);
    progress.report(stage, &result, on_progress);
    open(&stage.batches, encoders)?;
    let specs: Vec<Specs> = encoders
        .iter()
        .enumerate()
        .map(|(number, encoder)| Specs {
            number,
            spec: encoder.spec.clone(),
            states: encoder.states.clone(),
        })
        .collect();
    let workers = handles_of_workers(encoders);
    let (done, results) = bounded(workers.len());
    let has_failed = AtomicBool::new(false);
    thread::scope(|scope| {
        for handles in workers {
            let (to_run, done) = (to_run.clone(), done.clone());
            let given = (specs.as_slice(), handles, &has_failed);
            scope.spawn(move || take_turns(stage, given, &to_run, &done));
        }
        drop((to_run, done));
        collect(stage, (result, progress), (results, finished), on_progress)
    })
}

/// Opens the encoders that some batch lacks, all at once.
fn open<E: Send>(
    batches: &[Vec<MissingContent>],
    encoders: &mut [StageEncoder<'_, E>],
) -> Result<(), Error> {
    let lacking = batches
        .iter()
        .flatten()
        .fold(0, |all, item| all | item.lacking);
    thread::scope(|scope| {
        let mut opening = Vec::new();
        for (number, encoder) in encoders.iter_mut().enumerate() {
            let states = encoder.states.as_ref();
            let of_states = states.map_or(0, |(number, _)| 1 << number);
            let own = (1 << number) | of_states;
            if lacking & own != 0 && encoder.opened.is_empty() {
                opening.push(scope.spawn(move || {
                    let what = || format!("opening the encoder `{}`", encoder.spec.name);
                    encoder.opened = caught(what, || (encoder.open)())?;
                    Ok::<(), Error>(())
                }));
            }
        }
        for one in opening {
            match one.join() {
                Ok(opened) => opened?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    })
}

/// As many as every opened encoder has handles for; one where nothing is opened, so that pictures are still tried.
fn handles_of_workers<'a, E>(encoders: &'a mut [StageEncoder<'_, E>]) -> Vec<WorkerHandles<'a, E>> {
    let handles = encoders.iter().map(|encoder| encoder.opened.len());
    let count = handles.filter(|count| *count > 0).min().unwrap_or(1);
    let mut workers: Vec<WorkerHandles<'a, E>> = (0..count).map(|_| Vec::new()).collect();
    for encoder in encoders {
        let mut of_encoder = encoder.opened.iter_mut();
        for handles in &mut workers {
            handles.push(of_encoder.next());
        }
    }
    workers
}

/// One thread: batch after batch until there is none, or nobody waits for what comes of it, or some thread fails.
/// Batches are handed out in their order, so all those before the one that fails are being run.
fn take_turns<E, P>(
    stage: &Stage<'_, P>,
    (specs, mut handles, has_failed): (&[Specs], WorkerHandles<'_, E>, &AtomicBool),
    to_run: &Receiver<PreparedBatch<E>>,
    done: &Sender<(usize, Done)>,
) {
    for (number, prepared) in to_run {
        if has_failed.load(Ordering::Relaxed) {
            return;
        }
        let items = &stage.batches[number];
        let what = || format!("encoding a batch with `{}`", stage.name);
        let run = || Ok(run_batch(stage, (specs, &mut handles), items, prepared));
        let ran = caught(what, run).unwrap_or_else(|fault| Done {
            rows: Vec::new(),
            refusals: Err(fault),
        });
        let is_over = ran.refusals.is_err();
        has_failed.fetch_or(is_over, Ordering::Relaxed);
        if done.send((number, ran)).is_err() || is_over {
            return;
        }
    }
}

fn run_batch<E, P>(
    stage: &Stage<'_, P>,
    (specs, handles): (&[Specs], &mut WorkerHandles<'_, E>),
    items: &[MissingContent],
    prepared: Result<Vec<Prepared<E>>, Error>,
) -> Done {
    let mut rows = Vec::new();
    let run = |prepared: Vec<Prepared<E>>| {
        for (specs, encoder) in specs.iter().zip(handles) {
            if let Some(encoder) = encoder {
                let encode =
                    |batch: &[&[E]]| stage.clocks.run.time(|| encoder.encode_with_states(batch));
                let given = (items, prepared.as_slice());
                rows.extend(run_encoder(specs, given, stage.name_of, encode)?);
            }
        }
        Ok(prepared.into_iter().map(Result::err).collect())
    };
    let refusals = prepared.and_then(run);
    Done { rows, refusals }
}

/// One batch through one encoder: only what that encoder lacks and what could be made ready.
fn run_encoder<E>(
    specs: &Specs,
    (items, prepared): (&[MissingContent], &[Prepared<E>]),
    name_of: &dyn Fn(&MissingContent) -> String,
    encode: impl FnOnce(&[&[E]]) -> Result<Encoded, Error>,
) -> Result<Vec<Rows>, Error> {
    let lacks = |item: &MissingContent, number: usize| item.lacking & (1 << number) != 0;
    let lacks_any = |item: &MissingContent| {
        let states = specs.states.as_ref();
        lacks(item, specs.number) || states.is_some_and(|(number, _)| lacks(item, *number))
    };
    let given = items.iter().zip(prepared);
    let given = given.filter(|(item, _)| lacks_any(item));
    let (wanted, inputs): (Vec<&MissingContent>, Vec<&[E]>) = given
        .filter_map(|(item, prepared)| {
            let inputs = prepared.as_ref().ok()?;
            Some((item, inputs[specs.number].as_slice()))
        })
        .unzip();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let encoded = encode(&inputs)?;
    let mut all = Vec::new();
    let values = checked(&specs.spec, &wanted, encoded.rows, name_of)?;
    let width = specs.spec.width();
    let rows = wanted.iter().zip(values.chunks_exact(width));
    let rows = rows.filter(|(item, _)| lacks(item, specs.number));
    let (keys, values): (Vec<Key>, Vec<&[f32]>) = rows.map(|(item, row)| (item.key, row)).unzip();
    if !keys.is_empty() {
        all.push(Rows {
            encoder: specs.number,
            keys,
            tokens: Vec::new(),
            values: values.concat(),
        });
    }
    if let Some((number, spec)) = &specs.states {
        let rows = wanted.iter().copied().zip(&encoded.states);
        let rows: Vec<_> = rows.filter(|(item, _)| lacks(item, *number)).collect();
        all.extend(state_rows((*number, spec), &rows, name_of)?);
    }
    Ok(all)
}

/// The states within an encoder as rows, if the store may hold them.
fn state_rows(
    (number, spec): (usize, &EncoderSpec),
    rows: &[(&MissingContent, &Vec<f32>)],
    name_of: &dyn Fn(&MissingContent) -> String,
) -> Result<Option<Rows>, Error> {
    for (item, row) in rows {
        if let Some(problem) = unfit_value(row, spec.value_type) {
            return Err(Error::Output {
                encoder: spec.name.clone(),
                content: name_of(item),
                problem,
            });
        }
    }
    let width = spec.token_width();
    let tokens = rows.iter().filter(|_| spec.ragged);
    let tokens = tokens.map(|(_, row)| (row.len() / width) as u32);
    Ok((!rows.is_empty()).then(|| Rows {
        encoder: number,
        keys: rows.iter().map(|(item, _)| item.key).collect(),
        tokens: tokens.collect(),
        values: rows
            .iter()
            .flat_map(|(_, row)| row.iter().copied())
            .collect(),
    }))
}

/// Puts what the threads finish into the plan's order; everything before an error is handed to the writer.
fn collect<P>(
    stage: &Stage<'_, P>,
    (mut result, mut progress): (StageResult, StageProgress),
    (results, finished): (Receiver<(usize, Done)>, Sender<Rows>),
    on_progress: &dyn Fn(&Progress<'_>),
) -> Result<StageResult, Error> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (number, done) in results {
        early.insert(number, done);
        while let Some(done) = early.remove(&next) {
            for rows in done.rows {
                result.rows[rows.encoder] += rows.keys.len();
                // The writer is gone only after an error of its own, which the stage returns.
                if finished.send(rows).is_err() {
                    return Ok(result);
                }
            }
            let items = &stage.batches[next];
            result.count(items, done.refusals?, stage.counts_tokens);
            progress.done_area += area(items);
            next += 1;
        }
        result.time = progress.started.elapsed();
        progress.report(stage, &result, on_progress);
    }
    Ok(result)
}

/// The values of a batch, if the store may hold them.
fn checked(
    spec: &EncoderSpec,
    items: &[&MissingContent],
    values: Array2<f32>,
    name_of: &dyn Fn(&MissingContent) -> String,
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
