//! Inference of a stage: as many threads as the encoders have handles take one prepared batch after the other.
//!
//! Results go on in the order of the plan, whoever was faster, so that a store depends on its batches alone.

use std::collections::BTreeMap;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use mmfnd_features::{EncoderSpec, ValueType};
use mmfnd_pictures::Refusal;
use ndarray::Array2;

use crate::batches::Item;
use crate::encoder::Handle;
use crate::error::Error;
use crate::parts::Rows;
use crate::progress::Progress;
use crate::stage::{Lane, Prepared, Ran, Ready, Tally, Work, area};

/// Where prepared batches come from, and where rows go to.
type Ends<E> = (Receiver<Ready<E>>, Sender<Rows>);

/// What came of one batch.
struct Done {
    /// Of every lane that was finished, also where a later one failed.
    rows: Vec<Rows>,
    /// For each content why it cannot be used, if it cannot.
    refusals: Result<Vec<Option<Refusal>>, Error>,
}

/// One thread's handles, by lane; a lane that no batch lacks has none.
type Crew<'a, E> = Vec<Option<&'a mut Handle<E>>>;

/// Runs all batches; the calling thread counts, reports and hands rows to the writer.
pub(crate) fn run<E: Send, P: Sync>(
    work: &Work<'_, P>,
    lanes: &mut [Lane<'_, E>],
    (to_run, finished): Ends<E>,
    on_progress: &dyn Fn(&Progress<'_>),
) -> Result<Ran, Error> {
    let ran = Ran {
        rows: vec![0; lanes.len()],
        ..Ran::default()
    };
    let tally = Tally::new(&work.batches);
    tally.report(work, &ran, on_progress);
    open(&work.batches, lanes)?;
    let specs: Vec<EncoderSpec> = lanes.iter().map(|lane| lane.spec.clone()).collect();
    let crews = crews(lanes);
    let (done, results) = bounded(crews.len());
    thread::scope(|scope| {
        for crew in crews {
            let (to_run, done, specs) = (to_run.clone(), done.clone(), specs.as_slice());
            scope.spawn(move || take_turns(work, (specs, crew), &to_run, &done));
        }
        drop((to_run, done));
        collect(work, (ran, tally), (results, finished), on_progress)
    })
}

/// Opens the encoders that some batch lacks, all at once.
fn open<E: Send>(batches: &[Vec<Item>], lanes: &mut [Lane<'_, E>]) -> Result<(), Error> {
    let lacking = batches
        .iter()
        .flatten()
        .fold(0, |all, item| all | item.lacking);
    thread::scope(|scope| {
        let mut opening = Vec::new();
        for (number, lane) in lanes.iter_mut().enumerate() {
            if lacking & (1 << number) != 0 && lane.opened.is_empty() {
                opening.push(scope.spawn(move || -> Result<(), Error> {
                    lane.opened = (lane.open)()?;
                    Ok(())
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

/// As many as every opened lane has handles for; one where nothing is opened, so that pictures are still tried.
fn crews<'a, E>(lanes: &'a mut [Lane<'_, E>]) -> Vec<Crew<'a, E>> {
    let handles = lanes.iter().map(|lane| lane.opened.len());
    let count = handles.filter(|count| *count > 0).min().unwrap_or(1);
    let mut crews: Vec<Crew<'a, E>> = (0..count).map(|_| Vec::new()).collect();
    for lane in lanes {
        let mut handles = lane.opened.iter_mut();
        for crew in &mut crews {
            crew.push(handles.next());
        }
    }
    crews
}

/// One thread: batch after batch until there is none, or nobody waits for what comes of it, or it fails.
fn take_turns<E, P>(
    work: &Work<'_, P>,
    (specs, mut crew): (&[EncoderSpec], Crew<'_, E>),
    to_run: &Receiver<Ready<E>>,
    done: &Sender<(usize, Done)>,
) {
    for (number, prepared) in to_run {
        let items = &work.batches[number];
        let ran = run_batch(work, (specs, &mut crew), items, prepared);
        let is_over = ran.refusals.is_err();
        if done.send((number, ran)).is_err() || is_over {
            return;
        }
    }
}

fn run_batch<E, P>(
    work: &Work<'_, P>,
    (specs, crew): (&[EncoderSpec], &mut Crew<'_, E>),
    items: &[Item],
    prepared: Result<Vec<Prepared<E>>, Error>,
) -> Done {
    let mut rows = Vec::new();
    let run = |prepared: Vec<Prepared<E>>| {
        for (lane, (spec, encoder)) in specs.iter().zip(crew).enumerate() {
            if let Some(encoder) = encoder {
                let encode = |batch: &[&[E]]| work.clocks.run.time(|| encoder.encode(batch));
                let given = (items, prepared.as_slice());
                rows.extend(run_lane((lane, spec), given, work.name_of, encode)?);
            }
        }
        Ok(prepared.into_iter().map(Result::err).collect())
    };
    let refusals = prepared.and_then(run);
    Done { rows, refusals }
}

/// One batch through one encoder: only what that encoder lacks and what could be made ready.
fn run_lane<E>(
    (lane, spec): (usize, &EncoderSpec),
    (items, prepared): (&[Item], &[Prepared<E>]),
    name_of: &dyn Fn(&Item) -> String,
    encode: impl FnOnce(&[&[E]]) -> Result<Array2<f32>, Error>,
) -> Result<Option<Rows>, Error> {
    let lacks = |item: &Item| item.lacking & (1 << lane) != 0;
    let given = items.iter().zip(prepared).filter(|(item, _)| lacks(item));
    let (wanted, inputs): (Vec<&Item>, Vec<&[E]>) = given
        .filter_map(|(item, prepared)| {
            let inputs = prepared.as_ref().ok()?;
            Some((item, inputs[lane].as_slice()))
        })
        .unzip();
    if wanted.is_empty() {
        return Ok(None);
    }
    let values = checked(spec, &wanted, encode(&inputs)?, name_of)?;
    let keys = wanted.iter().map(|item| item.key).collect();
    Ok(Some(Rows { lane, keys, values }))
}

/// Puts what the threads finish into the plan's order; everything before an error is handed to the writer.
fn collect<P>(
    work: &Work<'_, P>,
    (mut ran, mut tally): (Ran, Tally),
    (results, finished): (Receiver<(usize, Done)>, Sender<Rows>),
    on_progress: &dyn Fn(&Progress<'_>),
) -> Result<Ran, Error> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (number, done) in results {
        early.insert(number, done);
        while let Some(done) = early.remove(&next) {
            for rows in done.rows {
                ran.rows[rows.lane] += rows.keys.len();
                // The writer is gone only after an error of its own, which the stage returns.
                if finished.send(rows).is_err() {
                    return Ok(ran);
                }
            }
            let items = &work.batches[next];
            ran.count(items, done.refusals?, work.counts_tokens);
            tally.done_area += area(items);
            next += 1;
        }
        ran.time = tally.started.elapsed();
        tally.report(work, &ran, on_progress);
    }
    Ok(ran)
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
