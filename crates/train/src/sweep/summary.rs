//! What came out of a sweep: figures of each point over its seeds, the best point by validation, and every other one
//! compared with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::comparison::{Comparison, PointPredictions, PostIndex};
use super::grid::Axis;
use super::record::RunRecord;
use super::setup::{Sweep, run_dir, run_name};
use super::statistics::Spread;
use super::sweep_file::AxisInfo;
use crate::Error;
use crate::config::Select;
use crate::scoring::metrics::Metrics;

/// What `summary.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Of this file.
    pub format: u32,
    /// The axes of the grid.
    pub axes: Vec<AxisInfo>,
    /// Seeds of each point.
    pub seeds: Vec<u64>,
    /// Runs that ended with metrics.
    pub finished: usize,
    /// Runs that failed.
    pub failed: usize,
    /// Index of the best point by mean validation accuracy (by mean test accuracy where `train.select` is `test`).
    pub best: Option<usize>,
    /// Index of the point that the others are compared with.
    pub reference: Option<usize>,
    /// In the order of the grid.
    pub points: Vec<PointSummary>,
}

/// One point of the grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointSummary {
    /// Such as `experts=3,learning_rate=0.0005`.
    pub name: String,
    /// Values of the axes.
    pub point: BTreeMap<String, Value>,
    /// Seeds whose runs are finished.
    pub seeds: Vec<u64>,
    /// Seeds whose runs failed.
    pub failed: Vec<u64>,
    /// Seeds in whose chosen epoch a group of experts has collapsed, and what is said of it.
    #[serde(default)] // earlier versions did not say
    pub collapsed: BTreeMap<u64, Vec<String>>,
    /// Whether the epochs were chosen by the test posts.
    pub optimistic: bool,
    /// Of the validation posts.
    pub validation: Option<Figures>,
    /// Of the test posts.
    pub test: Option<Figures>,
    /// Of the test posts, each run at the epoch that is best on them: optimistic.
    pub best_test: Option<Figures>,
    /// Against the reference; none for the reference itself.
    pub comparison: Option<Comparison>,
}

/// Figures over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Share of posts that are told right.
    pub accuracy: Spread,
    /// Mean cross-entropy.
    pub loss: Spread,
    /// Mean of the two F1.
    pub macro_f1: Spread,
    /// Area under the ROC curve; none where there is one class only.
    pub auroc: Option<Spread>,
    /// Of the class fake.
    pub fake: ClassFigures,
    /// Of the class real.
    pub real: ClassFigures,
}

/// Figures of a class over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassFigures {
    /// Share of those taken for the class that are of it.
    pub precision: Spread,
    /// Share of those of the class that are taken for it.
    pub recall: Spread,
    /// Their harmonic mean.
    pub f1: Spread,
}

impl Figures {
    /// Of one run each; none of no run.
    fn of(runs: &[&Metrics]) -> Option<Self> {
        let spread = |value: &dyn Fn(&Metrics) -> f64| {
            let values: Vec<_> = runs.iter().map(|metrics| value(metrics)).collect();
            Spread::of(&values)
        };
        let areas: Option<Vec<f64>> = runs.iter().map(|metrics| metrics.auroc).collect();
        Some(Self {
            accuracy: spread(&|metrics| metrics.accuracy)?,
            loss: spread(&|metrics| metrics.loss)?,
            macro_f1: spread(&|metrics| metrics.macro_f1)?,
            auroc: areas.and_then(|areas| Spread::of(&areas)),
            fake: ClassFigures {
                precision: spread(&|metrics| metrics.fake.precision)?,
                recall: spread(&|metrics| metrics.fake.recall)?,
                f1: spread(&|metrics| metrics.fake.f1)?,
            },
            real: ClassFigures {
                precision: spread(&|metrics| metrics.real.precision)?,
                recall: spread(&|metrics| metrics.real.recall)?,
                f1: spread(&|metrics| metrics.real.f1)?,
            },
        })
    }
}

impl Summary {
    /// Of the records of a sweep. The others are compared with the point of index `reference`, or with the best one.
    pub fn of(
        sweep: &Sweep,
        records: &[RunRecord],
        reference: Option<usize>,
    ) -> Result<Self, Error> {
        let grid = sweep.grid;
        let json = |value: &toml::Value| serde_json::to_value(value).expect("a plain value");
        let axis = |axis: &Axis| AxisInfo {
            key: axis.key.clone(),
            values: axis.values.iter().map(json).collect(),
        };
        let points = grid.points.iter().map(|point| {
            let values = grid.axes.iter().zip(&point.values);
            let values = values.map(|(axis, value)| (axis.key.clone(), json(value)));
            let mut summary = PointSummary::of(&runs_of(records, &point.name));
            summary.optimistic = point.config.train.select == Select::Test;
            summary.name = point.name.clone();
            summary.point = values.collect();
            summary
        });
        let points: Vec<_> = points.collect();
        let best = best(&points);
        let finished = records.iter().filter(|record| record.is_finished()).count();
        let mut summary = Self {
            format: 1,
            axes: grid.axes.iter().map(axis).collect(),
            seeds: sweep.seeds(),
            finished,
            failed: records.len() - finished,
            best,
            reference: reference.or(best),
            points,
        };
        summary.compare(sweep, records)?;
        Ok(summary)
    }

    /// Compares all points with the reference.
    fn compare(&mut self, sweep: &Sweep, records: &[RunRecord]) -> Result<(), Error> {
        let Some(reference) = self.reference else {
            return Ok(());
        };
        let rows = PostIndex::new(sweep.posts, sweep.features);
        let read = |name: &str| {
            let runs = runs_of(records, name)
                .into_iter()
                .filter(|record| record.is_finished());
            let runs =
                runs.map(|record| Ok((record.seed, run_dir(&sweep.options.out, &record.run)?)));
            PointPredictions::read(&runs.collect::<Result<Vec<_>, Error>>()?, &rows)
        };
        let theirs = read(&self.points[reference].name)?;
        for (_, point) in self
            .points
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| *index != reference)
        {
            point.comparison = read(&point.name)?.compare(&theirs, &rows);
        }
        Ok(())
    }
}

/// The runs of a point.
fn runs_of<'a>(records: &'a [RunRecord], point: &str) -> Vec<&'a RunRecord> {
    let is_of = |record: &&RunRecord| record.run == run_name(point, record.seed);
    records.iter().filter(is_of).collect()
}

impl PointSummary {
    /// Figures of the runs of one point.
    fn of(runs: &[&RunRecord]) -> Self {
        let (finished, failed): (Vec<&RunRecord>, Vec<_>) =
            runs.iter().partition(|record| record.is_finished());
        let seeds = |runs: &[&RunRecord]| runs.iter().map(|record| record.seed).collect();
        let figures = |of: &dyn for<'a> Fn(&'a RunRecord) -> Option<&'a Metrics>| {
            let metrics: Option<Vec<_>> = finished.iter().map(|record| of(record)).collect();
            metrics.and_then(|metrics| Figures::of(&metrics))
        };
        let collapsed = |record: &&RunRecord| {
            let groups = record.collapsed.clone();
            (!groups.is_empty()).then_some((record.seed, groups))
        };
        Self {
            name: String::new(),
            point: BTreeMap::new(),
            collapsed: finished.iter().filter_map(collapsed).collect(),
            seeds: seeds(&finished),
            failed: seeds(&failed),
            optimistic: false,
            validation: figures(&|record| record.validation.as_ref()),
            test: figures(&|record| record.test.as_ref()),
            best_test: figures(&|record| record.best_test.as_ref().map(|best| &best.metrics)),
            comparison: None,
        }
    }

    /// What points are ranked by: runs that are finished, then accuracy and loss on the posts that the epochs are
    /// chosen by.
    fn rank(&self) -> Option<(usize, f64, f64)> {
        let figures = if self.optimistic {
            &self.test
        } else {
            &self.validation
        };
        let figures = figures.as_ref()?;
        Some((self.seeds.len(), figures.accuracy.mean, -figures.loss.mean))
    }
}

/// The first of the best points; those that were chosen by the test posts only where there are no others.
fn best(points: &[PointSummary]) -> Option<usize> {
    let among = |optimistic: bool| {
        let mut best: Option<(usize, (usize, f64, f64))> = None;
        for (index, point) in points
            .iter()
            .enumerate()
            .filter(|(_, point)| point.optimistic == optimistic)
        {
            let Some(rank) = point.rank() else { continue };
            if best.is_none_or(|(_, other)| rank > other) {
                best = Some((index, rank));
            }
        }
        best.map(|(index, _)| index)
    };
    among(false).or_else(|| among(true))
}
