//! What came out of a sweep, as tables for a terminal of 100 columns.

use std::borrow::Cow;
use std::fmt;

use mmfnd_train::grid::{Grid, show};
use mmfnd_train::statistics::{RESAMPLES, Spread};
use mmfnd_train::{Comparison, Figures, PointSummary, Summary};

use super::table::{Column, left, right, table};

/// The widest that the names of points may be before they are numbered.
const WIDEST: usize = 23;

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

/// The columns that name the points, and a point's cells in them, with the lines that explain them.
struct Labels {
    titles: Vec<String>,
    names: Vec<Vec<String>>,
    legend: Vec<String>,
}

impl SweepTable<'_> {
    fn labels(&self) -> Labels {
        let (titles, names) = match self.names {
            Names::Given(title, names) => {
                let names = names.iter().map(|&name| vec![name.to_owned()]);
                (vec![(*title).to_owned()], names.collect())
            }
            Names::Values => self.values(),
        };
        if width(&titles, &names) <= WIDEST {
            return Labels {
                titles,
                names,
                legend: Vec::new(),
            };
        }
        let numbers = (1..=names.len()).map(|number| format!("#{number}"));
        let points = self.summary.points.iter().map(|point| &point.name);
        let legend = numbers.clone().zip(points);
        Labels {
            titles: vec!["point".into()],
            legend: legend
                .map(|(number, name)| format!("{number:<5} {name}"))
                .collect(),
            names: numbers.map(|number| vec![number]).collect(),
        }
    }

    /// A column per axis.
    fn values(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let keys = self.grid.short_keys();
        if keys.is_empty() {
            return (vec!["point".into()], vec![vec!["all".into()]]);
        }
        let points = self.grid.points.iter();
        let names = points.map(|point| point.values.iter().map(show).collect());
        (
            keys.into_iter().map(str::to_owned).collect(),
            names.collect(),
        )
    }

    /// The points with the cells that name them; `*` marks the best, so that it is found in each table.
    fn rows<'a>(
        &'a self,
        labels: &'a Labels,
    ) -> impl Iterator<Item = (Vec<String>, &'a PointSummary)> {
        let points = self.summary.points.iter().zip(&labels.names).enumerate();
        points.map(move |(index, (point, name))| {
            let is_best = self.summary.best == Some(index);
            (marked(if is_best { '*' } else { ' ' }, name), point)
        })
    }

    fn accuracy(&self, labels: &Labels) -> String {
        let mut columns = labels.columns();
        columns.extend([
            right("seeds"),
            right("validation\naccuracy").apart(),
            right("test accuracy\nmean ± sd").apart(),
            right("95 % interval"),
            right("best test epoch\n(optimistic)").apart(),
        ]);
        let row = |(mut cells, point): (Vec<String>, &PointSummary)| {
            let accuracy = |figures: &Option<Figures>| figures.as_ref().map(|f| f.accuracy);
            let (validation, best) = (accuracy(&point.validation), accuracy(&point.best_test));
            let test = accuracy(&point.test);
            let seeds = match (point.seeds.len(), point.failed.len()) {
                (finished, 0) => finished.to_string(),
                (finished, failed) => format!("{finished}/{}", finished + failed),
            };
            cells.extend([seeds, mean_sd(validation), mean_sd(test)]);
            cells.extend([interval(test), mean_sd(best)]);
            cells
        };
        table(columns, self.rows(labels).map(row))
    }

    fn classes(&self, labels: &Labels) -> String {
        let mut columns = labels.columns();
        columns.extend([right("macro-F1"), right("AUROC")]);
        for class in ["fake", "real"] {
            let recall = right(format!("{class}\nrecall"));
            columns.extend([right("prec.").apart(), recall, right("F1")]);
        }
        let row = |(mut cells, point): (Vec<String>, &PointSummary)| {
            let test = point.test.as_ref()?;
            cells.extend([mean_sd(Some(test.macro_f1)), mean_sd(test.auroc)]);
            for class in [test.fake, test.real] {
                let means = [class.precision, class.recall, class.f1];
                cells.extend(means.map(|spread| format!("{:.3}", spread.mean)));
            }
            Some(cells)
        };
        table(columns, self.rows(labels).filter_map(row))
    }

    fn comparisons(&self, labels: &Labels) -> Option<String> {
        let compared = self.rows(labels);
        let compared =
            compared.filter_map(|(name, point)| Some((name, point.comparison.as_ref()?)));
        let compared: Vec<_> = compared.collect();
        let (reference, (_, first)) = (self.summary.reference?, compared.first()?);
        let Comparison {
            posts, pictures, ..
        } = first;
        let (reference, tests) = (self.called(reference, labels), compared.len());
        let mut columns = labels.columns();
        columns.extend([
            right("difference"),
            right("95 % interval"),
            right("p"),
            right("only it / other").apart(),
            right("p"),
        ]);
        let row = |(mut cells, comparison): (Vec<String>, &Comparison)| {
            let (accuracy, mcnemar) = (comparison.accuracy, comparison.mcnemar);
            cells.extend([
                format!("{:+.3}", accuracy.mean),
                format!("[{:+.3}, {:+.3}]", accuracy.low, accuracy.high),
                probability(accuracy.p),
                format!("{} / {}", mcnemar.only_first, mcnemar.only_second),
                probability(mcnemar.p),
            ]);
            cells
        };
        Some(format!(
            "test accuracy minus that of {reference}, on the same {posts} posts and seeds\n{}\
             first p: paired bootstrap, {RESAMPLES} draws of the {pictures} pictures (with their posts) and of the seeds;\n\
             second p: McNemar's exact test of the majority votes of the seeds; not corrected for {tests} tests\n",
            table(columns, compared.into_iter().map(row))
        ))
    }

    /// A point in a sentence.
    fn called<'a>(&'a self, index: usize, labels: &'a Labels) -> Cow<'a, str> {
        match self.names {
            Names::Given(_, names) => names[index].into(),
            Names::Values if labels.legend.is_empty() => {
                self.summary.points[index].name.replace(',', ", ").into()
            }
            Names::Values => labels.names[index].join(" ").into(),
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
    fn collapsed(&self, labels: &Labels) -> Option<String> {
        let points = self.rows(labels);
        let points = points.filter(|(_, point)| !point.collapsed.is_empty());
        let row = |(mut cells, point): (Vec<String>, &PointSummary)| {
            let seeds: Vec<_> = point.collapsed.keys().map(u64::to_string).collect();
            let (seeds, runs) = (seeds.join(", "), point.seeds.len());
            let collapsed = point.collapsed.len();
            cells.push(format!("in {collapsed} of {runs} runs, seeds {seeds}"));
            cells
        };
        let rows: Vec<_> = points.map(row).collect();
        let title = "warning: groups of experts have collapsed in the epochs chosen (`collapsed` in the summary)";
        let mut columns = labels.columns();
        columns.push(left("collapsed"));
        (!rows.is_empty()).then(|| format!("{title}\n{}", table(columns, rows)))
    }
}

impl fmt::Display for SweepTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.labels();
        labels
            .legend
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))?;
        f.write_str(&self.accuracy(&labels))?;
        if let Some(best) = self.best() {
            writeln!(f, "{best}")?;
        }
        if self.summary.points.iter().any(|point| point.test.is_some()) {
            write!(f, "\n{}", self.classes(&labels))?;
        }
        let more = [self.comparisons(&labels), self.collapsed(&labels)];
        more.into_iter()
            .flatten()
            .try_for_each(|text| write!(f, "\n{text}"))
    }
}

impl Labels {
    fn columns(&self) -> Vec<Column> {
        marked(' ', &self.titles).into_iter().map(left).collect()
    }
}

/// Cells of which the first begins with a mark.
fn marked(mark: char, cells: &[String]) -> Vec<String> {
    let mut cells = cells.to_vec();
    cells[0].insert(0, mark);
    cells
}

/// Of all the names' columns, two spaces apart.
fn width(titles: &[String], names: &[Vec<String>]) -> usize {
    let widest = (0..titles.len()).map(|column| {
        let cells = names.iter().map(|name| &name[column]);
        let cells = cells.chain([&titles[column]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    widest.sum::<usize>() + 2 * titles.len().saturating_sub(1)
}

pub(crate) fn mean_sd(spread: Option<Spread>) -> String {
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

/// As wide as the smallest that can be told, so that a table does not change its shape with its values.
fn probability(p: f64) -> String {
    match p < 0.001 {
        true => "<0.001".to_owned(),
        false => format!("{p:>6.3}"),
    }
}
