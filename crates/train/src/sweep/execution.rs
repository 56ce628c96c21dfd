//! A sweep: every point of a grid with every seed, one thread a run and several runs side by side, over one copy of the
//! features.
//!
//! A run that ended is a line of `runs.jsonl`. Started again, a sweep leaves out what is finished, goes on with
//! interrupted runs where their checkpoint left them and tries failed ones again.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mmfnd_features::Column;

use super::record::{RECORDS, RecordFile, RunRecord, Status};
use super::setup::{PlannedRun, RUNS, Sweep, run_folder};
use super::sweep_file::SweepInfo;
use crate::Error;
use crate::config::{Config, Missing, TrainConfig};
use crate::data::{COLUMNS, CardFeatures, Dataset, Each, Picture, Splits, pictures};
use crate::error::{DataProblem, panic_text};
use crate::fitting::{EpochReport, Watch};
use crate::run::{RunDir, RunOptions, RunRequest, RunSummary, train_as_asked};

/// Time from one checkpoint of a run to the next: what an interruption can cost, beside an epoch.
const CHECKPOINT: Duration = Duration::from_secs(30);

/// What happens during a sweep.
#[derive(Debug)]
pub enum Event<'a> {
    /// What is to be done.
    Start {
        /// Runs of the grid with all seeds.
        runs: usize,
        /// Finished by an earlier start.
        finished: usize,
    },
    /// An epoch of a run.
    Epoch {
        /// The run.
        run: &'a str,
        /// How it went.
        report: &'a EpochReport,
    },
    /// A run ended.
    Ended(&'a RunRecord),
}

/// Who is told.
pub type OnEvent<'a> = &'a (dyn Fn(&Event) + Sync);

impl Sweep<'_> {
    /// Runs what is not finished; the records of all runs, seed by seed.
    pub fn run(&self, on_event: OnEvent) -> Result<Vec<RunRecord>, Error> {
        let device = self.options.device.open()?;
        let columns = self.check()?;
        SweepInfo::refuse_anything_else(&self.options.out)?;
        let runs = self.options.out.join(RUNS);
        fs::create_dir_all(&runs)
            .map_err(|source| mmfnd_posts::Error::Write { path: runs, source })?;
        let mut file = RecordFile::open(&self.options.out.join(RECORDS))?;
        let records = file.records()?;
        SweepInfo::of(self).write_or_check(&self.options.out)?;
        let planned = self.planned();
        let is_pending = |run: &&PlannedRun| !self.is_finished(run, &records);
        let pending: Vec<_> = planned.iter().filter(is_pending).collect();
        on_event(&Event::Start {
            runs: planned.len(),
            finished: planned.len() - pending.len(),
        });
        let on_card = match pending.is_empty() {
            true => CardFeatures::default(),
            false => CardFeatures::new(columns, self.options.device, &device),
        };
        // what stands in the file, so that a sweep that is started again says the same
        let mut records = self.work(&pending, file, &on_card, on_event)?.records()?;
        let record = |run: &PlannedRun| records.remove(&run.name);
        Ok(planned.iter().filter_map(record).collect())
    }

    /// What every run of a point would fail with is an error before the first one: features that are not there, a split
    /// without posts or with one class only. The columns that any point reads.
    fn check(&self) -> Result<Each<Option<&Column>>, Error> {
        let mut checked: Vec<&Config> = Vec::new();
        let mut columns = [None; COLUMNS.len()];
        for config in self.grid.points.iter().map(|point| &point.config) {
            if checked.iter().any(|other| use_the_same(other, config)) {
                continue;
            }
            let dataset = Dataset::new(self.features, self.posts, config)?;
            self.check_splits(&pictures(self.features, &dataset), &config.train)?;
            let read = columns.iter_mut().zip(dataset.columns());
            read.for_each(|(column, read)| *column = column.or(read));
            checked.push(config);
        }
        Ok(columns)
    }

    /// Where one seed finds no validation split, another may.
    fn check_splits(&self, pictures: &[Picture], train: &TrainConfig) -> Result<(), Error> {
        let mut problem = None;
        for seed in self.seeds() {
            let train = TrainConfig {
                seed,
                ..train.clone()
            };
            match Splits::of(self.posts, pictures, &train) {
                Ok(_) => return Ok(()),
                Err(none @ DataProblem::NoValidation { .. }) => problem = Some(none),
                Err(other) => return Err(other.into()),
            }
        }
        problem.map_or(Ok(()), |problem| Err(problem.into()))
    }

    fn is_finished(&self, run: &PlannedRun, records: &BTreeMap<String, RunRecord>) -> bool {
        let record = records.get(&run.name);
        record.is_some_and(RunRecord::is_finished)
            && run_folder(&self.options.out, &run.name)
                .join("metrics.json")
                .is_file()
    }

    /// All runs, `jobs` of them side by side.
    fn work(
        &self,
        pending: &[&PlannedRun],
        records: RecordFile,
        on_card: &CardFeatures,
        on_event: OnEvent,
    ) -> Result<RecordFile, Error> {
        let next = AtomicUsize::new(0);
        let records = Mutex::new(records);
        let worker = || -> Result<(), Error> {
            let pool = self.pool()?;
            while let Some(run) = pending.get(next.fetch_add(1, Ordering::Relaxed)) {
                let record = pool.install(|| self.one(run, on_card, on_event));
                let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
                records.append(&record)?;
                on_event(&Event::Ended(&record));
            }
            Ok(())
        };
        let jobs = self.options.jobs.clamp(1, pending.len().max(1));
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs)
                .map(|_| {
                    scope.spawn(|| {
                        // a record that cannot be written ends the sweep, not only this worker
                        worker().inspect_err(|_| next.store(pending.len(), Ordering::Relaxed))
                    })
                })
                .collect();
            let results = workers
                .into_iter()
                .map(|worker| worker.join().expect("a panic of a run is caught"));
            results.collect::<Result<Vec<()>, Error>>()
        })?;
        Ok(records.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// One thread, on which all of a run is computed: products, sums and batches ask the pool that they are called in.
    fn pool(&self) -> Result<rayon::ThreadPool, Error> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        pool.map_err(|error| Error::Run {
            path: self.options.out.clone(),
            problem: format!(
                "cannot be computed: no thread can be started ({error}); use fewer `--jobs`"
            ),
        })
    }

    fn one(&self, run: &PlannedRun, on_card: &CardFeatures, on_event: OnEvent) -> RunRecord {
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| self.train(run, on_card, on_event)));
        let result = match result {
            Ok(result) => result.map_err(|error| with_causes(&error)),
            Err(panic) => Err(format!("the program has a fault: {}", panic_text(&*panic))),
        };
        let values = self.grid.axes.iter().zip(&run.point.values);
        let value = |value| serde_json::to_value(value).expect("a plain value");
        let (error, metrics, collapsed) = match result {
            Ok((summary, collapsed)) => (None, Some(summary.metrics), collapsed),
            Err(error) => (Some(error), None, Vec::new()),
        };
        let metrics = metrics.as_ref();
        RunRecord {
            run: run.name.clone(),
            point: values
                .map(|(axis, of)| (axis.key.clone(), value(of)))
                .collect(),
            seed: run.seed,
            status: if error.is_some() {
                Status::Failed
            } else {
                Status::Finished
            },
            error,
            seconds: start.elapsed().as_secs_f64(),
            selection: metrics.map(|metrics| metrics.selection),
            collapsed,
            validation: metrics.and_then(|metrics| metrics.validation.clone()),
            test: metrics.and_then(|metrics| metrics.test.clone()),
            best_test: metrics.and_then(|metrics| metrics.best_test.clone()),
        }
    }

    /// The run, and the groups of experts that have collapsed in the epoch that was chosen.
    fn train(
        &self,
        run: &PlannedRun,
        on_card: &CardFeatures,
        on_event: OnEvent,
    ) -> Result<(RunSummary, Vec<String>), Error> {
        let mut config = run.point.config.clone();
        config.train.seed = run.seed;
        let options = RunOptions {
            out: run_folder(&self.options.out, &run.name),
            device: self.options.device,
            resume: true,
            overwrite: false,
            store: self.options.store.clone(),
            commit: self.options.commit.clone(),
            test_each_epoch: self.options.best_test,
            pictures: self.options.pictures.clone(),
            checkpoint_interval: CHECKPOINT,
        };
        let on_epoch = |report: &EpochReport| {
            let run = &run.name;
            on_event(&Event::Epoch { run, report });
        };
        let summary = train_as_asked(&RunRequest {
            features: self.features,
            posts: self.posts,
            config: &config,
            options: &options,
            on_card: Some(on_card),
            watch: Watch::epochs(&on_epoch),
        })?;
        let chosen = summary.metrics.selection.epoch;
        let reports = RunDir::open(&options.out)?.epochs()?.into_iter();
        let mut chosen = reports.filter(|report| report.epoch == chosen);
        let collapsed = chosen.next().map_or(Vec::new(), |report| report.collapsed);
        Ok((summary, collapsed))
    }
}

/// Whether two configurations train on the same features of the same posts, whatever else they differ in.
fn use_the_same(a: &Config, b: &Config) -> bool {
    let posts = |config: &Config| {
        let train = &config.train;
        (train.missing, train.select, train.validation_share)
    };
    // with masks the head says which posts it can score
    let is_alike = a.train.missing == Missing::Drop || a.head == b.head;
    is_alike && posts(a) == posts(b) && a.encoders() == b.encoders()
}

/// A line of `runs.jsonl` says why as well: what a disk or the system has against it is a cause.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}
