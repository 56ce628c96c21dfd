//! Confusion matrices, ROC and precision–recall curves, reliability.

use crate::content::{Block, Cell, Figure, Table};
use crate::draw::{Chart, Matrix, matrix};
use crate::evidence::{Shown, TestSet};
use crate::numbers::{Curve, bins, precision_recall, roc, thinned};
use crate::runs::Metrics;

/// Points of a curve that a figure and its table hold.
const POINTS: usize = 120;

pub(super) fn blocks(set: &TestSet<'_>) -> Vec<Block> {
    if set.shown.is_empty() {
        return Vec::new();
    }
    let about = "Of each row the run with the lowest seed, on the test posts. Shown are the best row, single modalities, baselines and ablations, six at most.";
    let confusions: Vec<_> = (set.shown.iter().take(2).enumerate())
        .map(|(index, shown)| confusion(set, index, shown))
        .collect();
    vec![
        Block::Text(about.to_owned()),
        Block::Figures(confusions),
        Block::Figures(vec![
            curves(set, "roc", &|posts| roc(posts)),
            curves(set, "precision-recall", &|posts| precision_recall(posts)),
            reliability(set),
        ]),
    ]
}

fn confusion(set: &TestSet<'_>, index: usize, shown: &Shown<'_>) -> Figure {
    let id = format!("confusion-{}-{index}", set.key);
    let Metrics { confusion, n, .. } = shown.group.first().test;
    let title = format!("Confusion matrix: {}", shown.group.name);
    let [[rr, rf], [fr, ff]] = confusion;
    let description = format!(
        "Of {n} test posts: {rr} real ones taken for real, {rf} real ones taken for fake, {fr} fake ones taken for real, {ff} fake ones taken for fake. The colour is the share of the row."
    );
    let cells = |row: [usize; 2]| {
        let all = (row[0] + row[1]).max(1) as f64;
        let cell = |count: usize| {
            Some((
                count as f64 / all,
                format!("{count} ({:.1} %)", count as f64 / all * 100.0),
            ))
        };
        row.map(cell).to_vec()
    };
    let columns = ["taken for real", "taken for fake"].map(str::to_owned);
    let rows = [
        ("is real".to_owned(), cells(confusion[0])),
        ("is fake".to_owned(), cells(confusion[1])),
    ];
    let svg = matrix(&Matrix {
        id: &id,
        title: &title,
        description: &description,
        columns: &columns,
        rows: &rows,
        range: (0.0, 1.0),
        framed: &[],
    });
    let mut data = Table::new(
        format!("{id}-data"),
        title.clone(),
        &["posts", "#taken for real", "#taken for fake"],
    );
    for (name, row) in [("is real", confusion[0]), ("is fake", confusion[1])] {
        data.rows.push(
            [Cell::text(name)]
                .into_iter()
                .chain(row.map(Cell::count))
                .collect(),
        );
    }
    Figure {
        id,
        title,
        description,
        svg,
        data,
    }
}

/// From scores and labels to a curve.
type CurveOf<'a> = dyn Fn(&[(f64, bool)]) -> Curve + 'a;

/// A curve per row, with its area.
fn curves(set: &TestSet<'_>, kind: &str, of: &CurveOf<'_>) -> Figure {
    let id = format!("{kind}-{}", set.key);
    let is_roc = kind == "roc";
    let (title, labels, reference) = match is_roc {
        true => (
            "ROC curve",
            ("real posts taken for fake (share)", "fakes found (share)"),
            "a coin",
        ),
        false => (
            "Precision and recall of the class fake",
            ("recall", "precision"),
            "share of fakes",
        ),
    };
    let area = |metrics: &Metrics| if is_roc { metrics.auroc } else { metrics.auprc };
    let name = |shown: &Shown<'_>| {
        let area =
            area(&shown.group.first().test).map_or(String::new(), |area| format!(" {area:.3}"));
        format!("{}{area}", shown.group.name)
    };
    let names: Vec<_> = set.shown.iter().map(name).collect();
    let description = format!(
        "{title} on the test posts, with the area under it: {}.",
        names.join("; ")
    );
    let scored: Vec<_> = set.shown.iter().map(Shown::scored).collect();
    let fakes =
        scored[0].iter().filter(|(_, fake)| *fake).count() as f64 / scored[0].len().max(1) as f64;
    let line = match is_roc {
        true => [(0.0, 0.0), (1.0, 1.0)],
        false => [(0.0, fakes), (1.0, fakes)],
    };
    let mut chart = Chart::new(&id, title, &description, labels)
        .ranges((0.0, 1.0), (0.0, 1.0))
        .reference(reference, &line);
    let mut data = Table::new(
        format!("{id}-data"),
        title,
        &["row", &format!("#{}", labels.0), &format!("#{}", labels.1)],
    );
    for (index, (posts, name)) in scored.iter().zip(&names).enumerate() {
        let curve = thinned(&of(posts), POINTS);
        for &(x, y) in &curve {
            data.rows
                .push(vec![Cell::text(name), Cell::share(x), Cell::share(y)]);
        }
        chart = chart.line(name, index, &curve);
    }
    Figure {
        svg: chart.svg(),
        id,
        title: title.to_owned(),
        description,
        data,
    }
}

fn reliability(set: &TestSet<'_>) -> Figure {
    let id = format!("reliability-{}", set.key);
    let title = "Reliability: does p_fake mean what it says?";
    let name = |shown: &Shown<'_>| {
        let ece = shown
            .group
            .first()
            .test
            .ece
            .map_or(String::new(), |ece| format!(", ECE {ece:.3}"));
        format!("{}{ece}", shown.group.name)
    };
    let shown = &set.shown[..set.shown.len().min(3)];
    let names: Vec<_> = shown.iter().map(name).collect();
    let description = format!(
        "Share of fakes among the test posts whose p_fake lies in one of 15 bins, against the mean p_fake there; on the diagonal p_fake is right. {}.",
        names.join("; ")
    );
    let labels = ("mean p_fake of the bin", "share of fakes");
    let mut chart = Chart::new(&id, title, &description, labels)
        .ranges((0.0, 1.0), (0.0, 1.0))
        .reference("right", &[(0.0, 0.0), (1.0, 1.0)]);
    let mut data = Table::new(
        format!("{id}-data"),
        title,
        &["row", "#posts", "#mean p_fake", "#share of fakes"],
    );
    for (index, (shown, name)) in shown.iter().zip(&names).enumerate() {
        let bins = bins(&shown.scored());
        let line: Vec<_> = bins.iter().map(|bin| (bin.p_fake, bin.fakes)).collect();
        let label =
            |n: usize, fakes: f64| format!("{name}: {n} posts, {:.1} % fake", fakes * 100.0);
        let points: Vec<_> = (bins.iter())
            .map(|bin| (bin.p_fake, bin.fakes, label(bin.n, bin.fakes)))
            .collect();
        chart = chart.line(name, index, &line).points(index, &points);
        for bin in bins {
            data.rows.push(vec![
                Cell::text(name),
                Cell::count(bin.n),
                Cell::share(bin.p_fake),
                Cell::share(bin.fakes),
            ]);
        }
    }
    Figure {
        svg: chart.svg(),
        id,
        title: title.to_owned(),
        description,
        data,
    }
}
