//! How far a sweep is: runs done and time to go, a line for each run that is under way, and one that stays for each
//! that ended, with the best so far.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use mmfnd_train::{EpochReport, Event, RunRecord};

use super::count::count;
use super::progress::{Stage, duration};

/// Told of what happens, from several threads.
pub(crate) struct Progress(Mutex<State>);

struct State {
    stage: Stage,
    lines: MultiProgress,
    jobs: usize,
    started: Instant,
    /// In all.
    runs: usize,
    /// Finished before this start.
    finished: usize,
    /// Ended since, and those of them that failed.
    ended: usize,
    failed: usize,
    /// How far the others are, from 0 to 1.
    running: BTreeMap<String, Running>,
    /// Accuracy by the posts that choose the epoch, and whose.
    best: Option<(f64, String)>,
}

struct Running {
    share: f64,
    best: f64,
    line: ProgressBar,
}

impl Progress {
    pub(crate) fn new(name: &str, jobs: usize) -> Self {
        let lines = MultiProgress::new();
        Self(Mutex::new(State {
            stage: Stage::start_among(name, 0, &lines),
            lines,
            jobs,
            started: Instant::now(),
            runs: 0,
            finished: 0,
            ended: 0,
            failed: 0,
            running: BTreeMap::new(),
            best: None,
        }))
    }

    pub(crate) fn show(&self, event: &Event) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Start { runs, finished } => {
                (state.runs, state.finished) = (*runs, *finished);
                if *finished > 0 {
                    let line = format!("{finished} of {runs} runs are finished already");
                    state.stage.line(&line);
                }
            }
            Event::Epoch { run, report } => state.epoch(run, report),
            Event::Ended(record) => state.ended(record),
        }
        state.update();
    }

    pub(crate) fn finish(self) {
        let state = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (runs, failed, jobs) = (state.runs, state.failed, state.jobs);
        state.stage.finish(&format!(
            "{}, {failed} failed, {jobs} at once",
            count(runs, "run")
        ));
    }
}

impl State {
    fn epoch(&mut self, run: &str, report: &EpochReport) {
        let lines = &self.lines;
        let running = self.running.entry(run.to_owned()).or_insert_with(|| {
            let style = ProgressStyle::with_template("           {wide_msg}");
            let line =
                ProgressBar::no_length().with_style(style.expect("the template is a constant"));
            Running {
                share: 0.0,
                best: 0.0,
                line: lines.add(line),
            }
        });
        running.share = report.epoch as f64 / report.epochs as f64;
        running.best = running.best.max(report.selection.accuracy);
        running.line.set_message(format!(
            "{run}: epoch {} of {}, {} accuracy {:.3}, best {:.3}",
            report.epoch,
            report.epochs,
            report.by.split(),
            report.selection.accuracy,
            running.best
        ));
        running.line.tick();
    }

    fn ended(&mut self, record: &RunRecord) {
        if let Some(running) = self.running.remove(&record.run) {
            running.line.finish_and_clear();
        }
        self.ended += 1;
        if let Some(error) = &record.error {
            self.failed += 1;
            self.stage.line(&format!("{} failed: {error}", record.run));
            return;
        }
        // without validation posts the epoch, too, was chosen by the test posts
        let chosen = record.validation.as_ref().or(record.test.as_ref());
        let Some(accuracy) = chosen.map(|metrics| metrics.accuracy) else {
            return;
        };
        if self.best.as_ref().is_none_or(|(best, _)| accuracy > *best) {
            self.best = Some((accuracy, record.run.clone()));
        }
        let best = match &self.best {
            Some((best, run)) if *run != record.run => format!("best so far {best:.3} ({run})"),
            _ => "the best so far".to_owned(),
        };
        let split = if record.validation.is_some() {
            "validation"
        } else {
            "test"
        };
        self.stage.line(&format!(
            "{}: {split} accuracy {accuracy:.3} in {:.1} s, {best}; {} of {} runs done{}",
            record.run,
            record.seconds,
            self.finished + self.ended,
            self.runs,
            self.to_go()
        ));
    }

    /// `, 40 s to go`; empty as long as nothing says how fast it goes.
    fn to_go(&self) -> String {
        let under_way: f64 = self.running.values().map(|running| running.share).sum();
        let done = self.ended as f64 + under_way;
        let left = (self.runs - self.finished) as f64 - done;
        match done > 0.0 {
            true => {
                let left = self.started.elapsed().mul_f64(left.max(0.0) / done);
                format!(", {} to go", duration(left))
            }
            false => String::new(),
        }
    }

    fn update(&mut self) {
        let failed = match self.failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        let (ended, runs) = (self.finished + self.ended, self.runs);
        let message = format!("runs done{failed}{}", self.to_go());
        self.stage.update(ended as u64, runs as u64, &message);
    }
}
