//! Figures of heads in the paper's layout: accuracy, then precision, recall and F1 of both classes.

use std::fmt;

use mmfnd_posts::Split;
use mmfnd_train::metrics::KindAccuracy;
use mmfnd_train::{Metrics, RunInfo, RunMetrics, Selection};

use super::table::{left, right, table};

/// A line for each of the named figures; `what` is the title of the names.
pub(crate) fn metrics_table<'a>(
    what: &str,
    rows: impl IntoIterator<Item = (String, &'a Metrics)>,
) -> String {
    let columns = vec![
        left(what),
        right("n"),
        right("accuracy"),
        right("prec.").apart(),
        right("fake\nrecall"),
        right("F1"),
        right("prec.").apart(),
        right("real\nrecall"),
        right("F1"),
        right("AUROC").apart(),
    ];
    let cells = |(name, metrics): (String, &Metrics)| {
        let classes = [metrics.fake, metrics.real];
        let classes = classes.map(|class| [class.precision, class.recall, class.f1].map(figure));
        let mut cells = vec![name, metrics.n.to_string(), figure(metrics.accuracy)];
        cells.extend(classes.into_iter().flatten());
        cells.push(if_known(metrics.auroc));
        cells
    };
    table(columns, rows.into_iter().map(cells))
}

fn figure(value: f64) -> String {
    format!("{value:.3}")
}

fn if_known(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), figure)
}

/// The figures of a run on some splits, and how its epoch was chosen.
pub(crate) struct RunTable<'a> {
    rows: Vec<(Split, &'a Metrics)>,
    selection: Selection,
    info: &'a RunInfo,
}

impl<'a> RunTable<'a> {
    /// Those of the splits on which the run has figures.
    pub(crate) fn new(metrics: &'a RunMetrics, info: &'a RunInfo, splits: &[Split]) -> Self {
        let row = |&split| Some((split, metrics.of(split)?));
        Self {
            rows: splits.iter().filter_map(row).collect(),
            selection: metrics.selection,
            info,
        }
    }
}

impl fmt::Display for RunTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows.iter();
        let rows = rows.map(|(split, metrics)| (split.to_string(), *metrics));
        f.write_str(&metrics_table("split", rows))?;
        let Selection {
            epoch,
            epochs,
            by,
            optimistic,
        } = self.selection;
        let (seed, by) = (self.info.seed, by.split());
        let warning = match optimistic {
            true => ": the test figures are optimistic",
            false => "",
        };
        writeln!(
            f,
            "seed {seed}, epoch {epoch} of {epochs}, chosen by {by} accuracy{warning}"
        )?;
        match self.info.with_ocr {
            Some(true) => writeln!(f, "BERT also read the text in the pictures"),
            Some(false) => writeln!(f, "the text in the pictures was not read"),
            None => Ok(()),
        }
    }
}

/// What the table has no room for.
pub(crate) fn details(metrics: &Metrics) -> String {
    let Metrics {
        loss,
        macro_f1,
        auprc,
        ece,
        confusion,
        ..
    } = metrics;
    let auprc = if_known(*auprc);
    let figures = format!(
        "loss {loss:.3}, macro F1 {macro_f1:.3}, AUPRC {auprc}, calibration error {ece:.3}\n"
    );
    let columns = vec![left("taken for"), right("real"), right("fake")];
    let rows = ["real posts", "fake posts"].into_iter().zip(confusion);
    let rows =
        rows.map(|(name, [real, fake])| vec![name.to_owned(), real.to_string(), fake.to_string()]);
    figures + &table(columns, rows)
}

/// Accuracy by cause of fakeness, a line each; nothing where no post has a cause.
pub(crate) fn causes(kinds: &[KindAccuracy]) -> String {
    if kinds.iter().all(|kind| kind.kind == "real") {
        return String::new();
    }
    let columns = vec![left("cause"), right("n"), right("accuracy")];
    let row = |kind: &KindAccuracy| {
        vec![
            kind.kind.to_string(),
            kind.n.to_string(),
            figure(kind.accuracy),
        ]
    };
    table(columns, kinds.iter().map(row))
}
