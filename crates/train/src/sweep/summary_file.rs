//! `summary.json` and `summary.csv`: the same figures for programs and for spreadsheets.

use std::io::Write;
use std::path::Path;

use mmfnd_posts::{TableColumn, atomic, write_table};

use super::comparison::Comparison;
use super::statistics::Spread;
use super::summary::{Figures, PointSummary, Summary};
use crate::Error;

impl Summary {
    /// Writes `summary.json` and `summary.csv`.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("plain values");
        bytes.push(b'\n');
        atomic::write(&folder.join("summary.json"), |file| file.write_all(&bytes))?;
        let columns = columns(self);
        let columns: Vec<_> = columns
            .iter()
            .map(|(name, column)| (name.as_str(), column.clone()))
            .collect();
        Ok(write_table(&folder.join("summary.csv"), &columns)?)
    }
}

/// A row per point.
fn columns(summary: &Summary) -> Vec<(String, TableColumn)> {
    let points = &summary.points;
    let axes = summary.axes.iter().map(|axis| {
        let value = |point: &PointSummary| match &point.point[&axis.key] {
            serde_json::Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        (
            axis.key.clone(),
            TableColumn::Text(points.iter().map(value).collect()),
        )
    });
    let mut columns: Vec<_> = axes.collect();
    let integer = |of: &dyn Fn(usize, &PointSummary) -> Option<usize>| {
        let value = |(index, point)| of(index, point).map(|count| count as i64);
        TableColumn::Int(points.iter().enumerate().map(value).collect())
    };
    let flag = |place: Option<usize>| integer(&|index, _| Some(usize::from(place == Some(index))));
    columns.extend([
        (
            "seeds".to_owned(),
            integer(&|_, point| Some(point.seeds.len())),
        ),
        (
            "failed".to_owned(),
            integer(&|_, point| Some(point.failed.len())),
        ),
        (
            "collapsed".to_owned(),
            integer(&|_, point| Some(point.collapsed.len())),
        ),
        ("best".to_owned(), flag(summary.best)),
        ("reference".to_owned(), flag(summary.reference)),
    ]);
    let sides: [(&str, Side); 3] = [
        ("validation", |point| &point.validation),
        ("test", |point| &point.test),
        ("best_test", |point| &point.best_test),
    ];
    for (side, figures) in sides {
        for (figure, spread) in FIGURES {
            let spreads: Vec<_> = points
                .iter()
                .map(|point| figures(point).as_ref().and_then(spread))
                .collect();
            columns.extend(spread_columns(&format!("{side}_{figure}"), &spreads));
        }
    }
    columns.extend(comparison_columns(points));
    columns
}

/// Figures of one split.
type Side = fn(&PointSummary) -> &Option<Figures>;
/// One of them.
type Figure = fn(&Figures) -> Option<Spread>;

const FIGURES: [(&str, Figure); 10] = [
    ("accuracy", |figures| Some(figures.accuracy)),
    ("loss", |figures| Some(figures.loss)),
    ("macro_f1", |figures| Some(figures.macro_f1)),
    ("auroc", |figures| figures.auroc),
    ("fake_precision", |figures| Some(figures.fake.precision)),
    ("fake_recall", |figures| Some(figures.fake.recall)),
    ("fake_f1", |figures| Some(figures.fake.f1)),
    ("real_precision", |figures| Some(figures.real.precision)),
    ("real_recall", |figures| Some(figures.real.recall)),
    ("real_f1", |figures| Some(figures.real.f1)),
];

fn spread_columns(name: &str, spreads: &[Option<Spread>]) -> [(String, TableColumn); 4] {
    let column = |part: &str, of: fn(Spread) -> Option<f64>| {
        let values = spreads
            .iter()
            .map(|spread| spread.and_then(of).map(|value| value as f32));
        (
            format!("{name}_{part}"),
            TableColumn::Float(values.collect()),
        )
    };
    [
        column("mean", |spread| Some(spread.mean)),
        column("sd", |spread| spread.sd),
        column("low", |spread| spread.low),
        column("high", |spread| spread.high),
    ]
}

fn comparison_columns(points: &[PointSummary]) -> Vec<(String, TableColumn)> {
    let float = |name: &str, of: fn(&Comparison) -> f64| {
        let values = points.iter().map(|point| {
            point
                .comparison
                .as_ref()
                .map(|comparison| of(comparison) as f32)
        });
        (name.to_owned(), TableColumn::Float(values.collect()))
    };
    let integer = |name: &str, of: fn(&Comparison) -> usize| {
        let values = points.iter().map(|point| {
            point
                .comparison
                .as_ref()
                .map(|comparison| of(comparison) as i64)
        });
        (name.to_owned(), TableColumn::Int(values.collect()))
    };
    vec![
        float("difference", |comparison| comparison.accuracy.mean),
        float("difference_low", |comparison| comparison.accuracy.low),
        float("difference_high", |comparison| comparison.accuracy.high),
        float("p", |comparison| comparison.accuracy.p),
        integer("mcnemar_only_point", |comparison| {
            comparison.mcnemar.only_first
        }),
        integer("mcnemar_only_reference", |comparison| {
            comparison.mcnemar.only_second
        }),
        float("mcnemar_p", |comparison| comparison.mcnemar.p),
        integer("compared_posts", |comparison| comparison.posts),
        integer("compared_pictures", |comparison| comparison.pictures),
    ]
}
