//! Accuracy per cause of fakeness and per event.

use std::collections::BTreeMap;

use mmfnd_posts::{Post, Split};

use crate::content::{Block, Cell, Figure, Table};
use crate::draw::{Matrix, matrix};
use crate::evidence::TestSet;

/// Events with fewer posts say nothing; of the others so many of the largest are shown.
const FEWEST: usize = 5;
const MOST: usize = 12;

pub(super) fn blocks(set: &TestSet<'_>) -> Vec<Block> {
    if set.posts.is_none() {
        return Vec::new();
    }
    let cause = |post: &Post, fake: bool| match (fake, &post.cause) {
        (false, _) => Some("real".to_owned()),
        (true, cause) => cause.clone(),
    };
    let event = |post: &Post, _| post.event.clone();
    let mut figures = Vec::new();
    if set.has_causes() {
        let title = "Accuracy by cause of fakeness";
        figures.extend(figure(set, ("causes", title), (1, MOST), &cause));
    }
    let title = "Accuracy by event, the largest events of the test posts";
    figures.extend(figure(set, ("events", title), (FEWEST, MOST), &event));
    match figures.is_empty() {
        true => Vec::new(),
        false => vec![Block::Figures(figures)],
    }
}

fn figure(
    set: &TestSet<'_>,
    (name, title): (&str, &str),
    (fewest, most): (usize, usize),
    kind: &dyn Fn(&Post, bool) -> Option<String>,
) -> Option<Figure> {
    let posts = set.posts?;
    let mut counts: BTreeMap<String, Vec<[usize; 2]>> = BTreeMap::new();
    for (column, shown) in set.shown.iter().enumerate() {
        for post in shown.of(Split::Test) {
            let Some((fake, right)) = post.fake.zip(post.is_right()) else {
                continue;
            };
            if let Some(kind) = posts.get(&post.post_id).and_then(|post| kind(post, fake)) {
                let row = counts
                    .entry(kind)
                    .or_insert_with(|| vec![[0; 2]; set.shown.len()]);
                row[column][0] += 1;
                row[column][1] += usize::from(right);
            }
        }
    }
    let mut kinds: Vec<_> = counts
        .into_iter()
        .filter(|(_, row)| row[0][0] >= fewest)
        .collect();
    kinds.sort_by_key(|(_, row)| std::cmp::Reverse(row[0][0]));
    kinds.truncate(most);
    if kinds.is_empty() {
        return None;
    }
    let id = format!("{name}-{}", set.key);
    let accuracy = |[n, right]: [usize; 2]| (n > 0).then(|| right as f64 / n as f64);
    let rows: Vec<_> = (set.shown.iter().enumerate())
        .map(|(column, shown)| {
            let cell = |(_, row): &(String, Vec<[usize; 2]>)| {
                accuracy(row[column]).map(|value| (value, format!("{value:.2}")))
            };
            (
                shown.group.name.clone(),
                kinds.iter().map(cell).collect::<Vec<_>>(),
            )
        })
        .collect();
    let names: Vec<_> = kinds
        .iter()
        .map(|(kind, row)| format!("{kind} ({})", row[0][0]))
        .collect();
    let description = "Share of the test posts told right; in brackets how many posts there are. Of each row the run with the lowest seed.".to_owned();
    let upright = names.len() > 6;
    let svg = match upright {
        true => {
            let turned: Vec<_> = (names.iter().enumerate())
                .map(|(row, name)| {
                    (
                        name.clone(),
                        rows.iter().map(|(_, cells)| cells[row].clone()).collect(),
                    )
                })
                .collect();
            let columns: Vec<_> = (1..=rows.len())
                .map(|number| format!("row {number}"))
                .collect();
            draw(
                &id,
                title,
                &legend(&description, &rows),
                (&columns, &turned),
            )
        }
        false => draw(&id, title, &description, (&names, &rows)),
    };
    let heads: Vec<_> = names.iter().map(|name| format!("#{name}")).collect();
    let columns: Vec<_> = ["row"]
        .into_iter()
        .chain(heads.iter().map(String::as_str))
        .collect();
    let mut data = Table::new(format!("{id}-data"), title, &columns);
    for (name, cells) in &rows {
        let cells = cells
            .iter()
            .map(|cell| Cell::share(cell.as_ref().map(|(value, _)| *value)));
        data.rows
            .push([Cell::text(name)].into_iter().chain(cells).collect());
    }
    let description = if upright {
        legend(&description, &rows)
    } else {
        description
    };
    Some(Figure {
        id,
        title: title.to_owned(),
        description,
        svg,
        data,
    })
}

type Row = (String, Vec<Option<(f64, String)>>);

/// Which row is which, where the figure has no room for their names.
fn legend(description: &str, rows: &[Row]) -> String {
    let name = |(index, (name, _)): (usize, &Row)| format!("{} {name}", index + 1);
    let names: Vec<_> = rows.iter().enumerate().map(name).collect();
    format!("{description} Rows: {}.", names.join("; "))
}

fn draw(id: &str, title: &str, description: &str, (columns, rows): (&[String], &[Row])) -> String {
    matrix(&Matrix {
        id,
        title,
        description,
        columns,
        rows,
        range: (0.0, 1.0),
        framed: &[],
    })
}
