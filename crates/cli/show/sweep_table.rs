//! What came out of a sweep, as tables for a terminal of 100 columns.

use std::borrow::Cow;
use std::fmt;

use mmfnd_train::grid::{Grid, show};
use mmfnd_train::statistics::{RESAMPLES, Spread};
use mmfnd_train::{Comparison, Figures, PointSummary, Summary};

/// The widest that the names of points may be before they are numbered.
const WIDEST: usize = 25;

/// How points are called.
pub(crate) enum Names {
    /// By the values of the axes.
    Values,
    /// By a title and a name each.
    Given(&'static str, Vec<&'static str>),
}

/// The tables: accuracy, other figures of the test posts, comparisons.
pub(crate) struct SweepTable<'a> {
    pub(crate) grid: &'a Grid,
    pub(crate) summary: &'a Summary,
    pub(crate) names: &'a Names,
}

/// The title of the names and a name per point, padded to one width, with the lines that explain them.
struct Labels {
    title: String,
    names: Vec<String>,
    legend: Vec<String>,
}

impl SweepTable<'_> {
    fn labels(&self) -> Labels {
        let (title, names) = match self.names {
            Names::Given(title, names) => (
                (*title).to_owned(),
                names.iter().map(|&name| name.to_owned()).collect(),
            ),
            Names::Values => self.values(),
        };
        let width = |names: &[String]| {
            names
                .iter()
                .map(|name| name.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widest = width(&names).max(title.chars().count());
        if widest <= WIDEST {
            let pad = |name: &String| format!("{name:<widest$}");
            return Labels {
                names: names.iter().map(pad).collect(),
                title: format!("{title:<widest$}"),
                legend: Vec::new(),
            };
        }
        let numbers: Vec<_> = (1..=names.len())
            .map(|number| format!("#{number}"))
            .collect();
        let widest = width(&numbers).max(5);
        Labels {
            title: format!("{:<widest$}", "point"),
            legend: numbers
                .iter()
                .zip(&self.summary.points)
                .map(|(number, point)| format!("{number:<widest$} {}", point.name))
                .collect(),
            names: numbers
                .iter()
                .map(|number| format!("{number:<widest$}"))
                .collect(),
        }
    }

    /// A column per axis.
    fn values(&self) -> (String, Vec<String>) {
        let keys = self.grid.short_keys();
        if keys.is_empty() {
            return ("point".into(), vec!["all".into()]);
        }
        let widths = keys.iter().enumerate().map(|(axis, key)| {
            let values = self
                .grid
                .points
                .iter()
                .map(|point| show(&point.values[axis]).chars().count());
            values.max().unwrap_or(0).max(key.len())
        });
        let widths: Vec<_> = widths.collect();
        let row = |cells: Vec<String>| {
            let cells = cells
                .iter()
                .zip(&widths)
                .map(|(cell, &width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ")
        };
        let names = self
            .grid
            .points
            .iter()
            .map(|point| row(point.values.iter().map(show).collect()));
        (
            row(keys.iter().map(|&key| key.to_owned()).collect()),
            names.collect(),
        )
    }

    /// `*` for the best, so that it is found in each table.
    fn rows<'a>(&'a self, labels: &'a Labels) -> impl Iterator<Item = (String, &'a PointSummary)> {
        let mark = |index| {
            if self.summary.best == Some(index) {
                '*'
            } else {
                ' '
            }
        };
        let points = self.summary.points.iter().zip(&labels.names).enumerate();
        points.map(move |(index, (point, name))| (format!("{}{name}", mark(index)), point))
    }

    fn accuracy(&self, labels: &Labels) -> Vec<String> {
        let title = &labels.title;
        let indent = " ".repeat(title.chars().count());
        let mut lines = vec![
            format!(
                " {indent}         {:^13}   {:^31}   best test epoch",
                "validation", "test accuracy"
            ),
            format!(
                " {title}  seeds  {:^13}   {:^13}  {:^16}    (optimistic)",
                "accuracy", "mean ± sd", "95 % interval"
            ),
        ];
        for (name, point) in self.rows(labels) {
            let accuracy = |figures: &Option<Figures>| figures.as_ref().map(|f| f.accuracy);
            let (validation, best) = (accuracy(&point.validation), accuracy(&point.best_test));
            let test = accuracy(&point.test);
            let seeds = match (point.seeds.len(), point.failed.len()) {
                (finished, 0) => finished.to_string(),
                (finished, failed) => format!("{finished}/{}", finished + failed),
            };
            lines.push(format!(
                "{name}  {seeds:>5}  {:^13}   {:^13}  {:^16}   {:^15}",
                mean_sd(validation),
                mean_sd(test),
                interval(test),
                mean_sd(best)
            ));
        }
        lines
    }

    fn classes(&self, labels: &Labels) -> Vec<String> {
        let title = &labels.title;
        let indent = " ".repeat(title.chars().count());
        let class = format!("{:>6} {:>6} {:>6}", "prec.", "recall", "F1");
        let mut lines = vec![
            String::new(),
            format!(" {indent}{:32}  {:^20}  {:^20}", "", "fake", "real"),
            format!(
                " {title}  {:^13}  {:^13}   {class}  {class}",
                "macro-F1", "AUROC"
            ),
        ];
        for (name, point) in self.rows(labels) {
            let Some(test) = &point.test else {
                continue;
            };
            let (macro_f1, auroc) = (mean_sd(Some(test.macro_f1)), mean_sd(test.auroc));
            let classes = [test.fake, test.real].map(|class| {
                let mean = [class.precision, class.recall, class.f1].map(|spread| spread.mean);
                format!("  {:>6.3} {:>6.3} {:>6.3}", mean[0], mean[1], mean[2])
            });
            lines.push(format!(
                "{name}  {macro_f1:^13}  {auroc:^13} {}",
                classes.concat()
            ));
        }
        lines
    }

    fn comparisons(&self, labels: &Labels) -> Vec<String> {
        let compared = self.rows(labels);
        let compared =
            compared.filter_map(|(name, point)| Some((name, point.comparison.as_ref()?)));
        let compared: Vec<_> = compared.collect();
        let (Some(reference), Some((_, first))) = (self.summary.reference, compared.first()) else {
            return Vec::new();
        };
        let Comparison {
            posts, pictures, ..
        } = first;
        let mut lines = vec![
            String::new(),
            format!(
                "test accuracy minus that of {}, on the same {posts} posts and seeds",
                self.called(reference, labels)
            ),
            format!(
                " {}  {:>10}  {:^18}  {:>6}   {:^19}  {:>6}",
                labels.title, "difference", "95 % interval", "p", "only it / other", "p"
            ),
        ];
        for (name, comparison) in &compared {
            let (accuracy, mcnemar) = (comparison.accuracy, comparison.mcnemar);
            let only = format!("{} / {}", mcnemar.only_first, mcnemar.only_second);
            let interval = format!("[{:+.3}, {:+.3}]", accuracy.low, accuracy.high);
            let (p, votes) = (probability(accuracy.p), probability(mcnemar.p));
            let mean = accuracy.mean;
            lines.push(format!(
                "{name}  {mean:>+10.3}  {interval:^18}  {p:>6}   {only:^19}  {votes:>6}"
            ));
        }
        lines.push(format!(
            "first p: paired bootstrap, {RESAMPLES} draws of the {pictures} pictures (with their posts) and of the seeds;"
        ));
        lines.push(format!(
            "second p: McNemar's exact test of the majority votes of the seeds; not corrected for {} tests",
            compared.len()
        ));
        lines
    }

    /// A point in a sentence.
    fn called<'a>(&'a self, index: usize, labels: &'a Labels) -> Cow<'a, str> {
        match self.names {
            Names::Given(_, names) => names[index].into(),
            Names::Values if labels.legend.is_empty() => {
                self.summary.points[index].name.replace(',', ", ").into()
            }
            Names::Values => labels.names[index].trim_end().into(),
        }
    }

    fn best(&self) -> Option<String> {
        let point = &self.summary.points[self.summary.best?];
        let how = match point.optimistic {
            true => "test posts: optimistic",
            false => "validation posts",
        };
        Some(format!("* best by accuracy on the {how}"))
    }
}

impl SweepTable<'_> {
    /// Points of which a run has lost a group of experts.
    fn collapsed(&self, labels: &Labels) -> Vec<String> {
        let points = self.rows(labels);
        let points = points.filter(|(_, point)| !point.collapsed.is_empty());
        let mut lines: Vec<_> = points
            .map(|(name, point)| {
                let seeds: Vec<_> = point.collapsed.keys().map(u64::to_string).collect();
                let (seeds, runs) = (seeds.join(", "), point.seeds.len());
                let collapsed = point.collapsed.len();
                let name = name.trim_end();
                format!("{name}  in {collapsed} of {runs} runs, seeds {seeds}")
            })
            .collect();
        if !lines.is_empty() {
            let title = "warning: groups of experts have collapsed in the epochs chosen (`collapsed` in the summary)";
            lines.splice(0..0, [String::new(), title.to_owned()]);
        }
        lines
    }
}

impl fmt::Display for SweepTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.labels();
        let mut lines = labels.legend.clone();
        lines.extend(self.accuracy(&labels));
        lines.extend(self.best());
        if self.summary.points.iter().any(|point| point.test.is_some()) {
            lines.extend(self.classes(&labels));
        }
        lines.extend(self.comparisons(&labels));
        lines.extend(self.collapsed(&labels));
        lines
            .iter()
            .try_for_each(|line| writeln!(f, "{}", line.trim_end()))
    }
}

fn mean_sd(spread: Option<Spread>) -> String {
    match spread {
        Some(Spread {
            mean, sd: Some(sd), ..
        }) => format!("{mean:.3} ± {sd:.3}"),
        Some(Spread { mean, .. }) => format!("{mean:.3}"),
        None => "-".to_owned(),
    }
}

fn interval(spread: Option<Spread>) -> String {
    match spread {
        Some(Spread {
            low: Some(low),
            high: Some(high),
            ..
        }) => format!("[{low:.3}, {high:.3}]"),
        _ => "-".to_owned(),
    }
}

fn probability(p: f64) -> String {
    match p < 0.001 {
        true => "<0.001".to_owned(),
        false => format!("{p:.3}"),
    }
}
