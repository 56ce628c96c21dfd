//! What event files say of epochs.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use mmfnd_train::{EpochReport, RunDir};

use super::event_file::EventFile;

/// The event file of a run; begun when its first epoch ends, since a run that is not resumed is cleared before that.
pub(crate) struct RunEvents {
    run: PathBuf,
    file: Option<EventFile<File>>,
}

impl RunEvents {
    pub(crate) fn new(run: &Path) -> Self {
        Self {
            run: run.to_owned(),
            file: None,
        }
    }

    /// Adds an epoch. The file of a resumed run begins with the epochs before it.
    pub(crate) fn add(&mut self, report: &EpochReport) -> anyhow::Result<()> {
        let failed = || format!("cannot write an event file in `{}`", self.run.display());
        if self.file.is_none() {
            let run = RunDir::open(&self.run)?;
            let mut file = EventFile::create(&run.tensorboard(), now()).with_context(failed)?;
            for earlier in run
                .epochs()?
                .iter()
                .take_while(|earlier| earlier.epoch < report.epoch)
            {
                add(&mut file, earlier).with_context(failed)?;
            }
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => add(file, report).with_context(failed),
            None => Ok(()),
        }
    }
}

fn add(file: &mut EventFile<File>, report: &EpochReport) -> std::io::Result<()> {
    let by = report.by.split().to_string();
    let (loss, accuracy, f1) = (
        format!("loss/{by}"),
        format!("accuracy/{by}"),
        format!("macro_f1/{by}"),
    );
    let (train, selection) = (&report.train, &report.selection);
    let mut figures = vec![
        ("loss/train", train.loss),
        ("accuracy/train", train.accuracy),
        (loss.as_str(), selection.loss),
        (accuracy.as_str(), selection.accuracy),
        (f1.as_str(), selection.macro_f1),
        ("seconds", report.seconds),
    ];
    if let Some(test) = &report.test {
        figures.extend([("loss/test", test.loss), ("accuracy/test", test.accuracy)]);
    }
    let evenness: Vec<_> = (report.gates.iter())
        .map(|gate| (format!("gate_evenness/{}", gate.gate), gate.entropy))
        .collect();
    figures.extend(evenness.iter().map(|(tag, value)| (tag.as_str(), *value)));
    file.add(now(), report.epoch, &figures)
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |time| time.as_secs_f64())
}

/// The event files of the runs of a sweep.
pub(crate) struct SweepEvents {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    runs: HashMap<String, RunEvents>,
    /// The first one; the runs themselves go on.
    failure: Option<anyhow::Error>,
}

impl SweepEvents {
    pub(crate) fn new(sweep: &Path) -> Self {
        Self {
            folder: sweep.join("runs"),
            state: Mutex::default(),
        }
    }

    pub(crate) fn add(&self, run: &str, report: &EpochReport) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let events = state.runs.entry(run.to_owned());
        let events = events.or_insert_with(|| RunEvents::new(&self.folder.join(run)));
        let added = events.add(report);
        if report.epoch == report.epochs {
            state.runs.remove(run); // or files of thousands of runs would stay open
        }
        if let Err(error) = added {
            state.failure.get_or_insert(error);
        }
    }

    /// Whether all could be written.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let state = self
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        state.failure.map_or(Ok(()), Err)
    }
}
