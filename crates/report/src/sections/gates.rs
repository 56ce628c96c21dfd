//! Use of the experts: a matrix over gates and experts, collapse marked.

use crate::content::{Block, Cell, Figure, Table};
use crate::draw::{Matrix, matrix};
use crate::evidence::TestSet;
use crate::runs::{Epoch, Gate};

pub(super) fn blocks(set: &TestSet<'_>) -> Vec<Block> {
    let Some(group) = set.shown.first().map(|shown| shown.group) else {
        return Vec::new();
    };
    let run = group.first();
    let epochs = run.epochs().unwrap_or_default();
    let chosen = epochs
        .into_iter()
        .find(|epoch| epoch.epoch == run.selection.epoch);
    let Some(epoch) = chosen.filter(|epoch| !epoch.gates.is_empty()) else {
        return Vec::new();
    };
    let mut blocks = vec![Block::Figures(vec![figure(set, &group.name, &epoch)])];
    if !epoch.collapsed.is_empty() {
        blocks.push(Block::Warnings(epoch.collapsed));
    }
    blocks
}

/// `text_ple.levels.0.unimodal_gate` as people say it.
fn named(gate: &Gate) -> String {
    let words: Vec<_> = gate
        .gate
        .split(['.', '_'])
        .filter(|word| !["ple", "levels", "gate"].contains(word))
        .collect();
    let word = |word: &&str| match word.parse::<usize>() {
        Ok(level) => format!("level {}", level + 1),
        Err(_) => (*word).to_owned(),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn figure(set: &TestSet<'_>, name: &str, epoch: &Epoch) -> Figure {
    let id = format!("gates-{}", set.key);
    let title = format!("{name}: share of each expert at each gate");
    let description = format!(
        "Mean over the posts by which the epoch is chosen (epoch {}). The shares of a gate add up to 1; a gate that does not read a group has no cell there. {}",
        epoch.epoch,
        match epoch.collapsed.is_empty() {
            true => "No group has collapsed onto one expert, and none is unused.",
            false => "Groups that have collapsed are named below.",
        }
    );
    let mut columns: Vec<String> = Vec::new();
    for group in ["unimodal", "shared", "cross_modal"] {
        let sizes = epoch.gates.iter().flat_map(|gate| &gate.groups);
        let size = sizes
            .filter(|found| found.group == group)
            .map(|found| found.shares.len())
            .max();
        let short = group.split('_').next().unwrap_or(group);
        columns.extend((1..=size.unwrap_or(0)).map(|expert| format!("{short} {expert}")));
    }
    let cells = |gate: &Gate| {
        let share = |column: &String| {
            let (group, expert) = column.split_once(' ')?;
            let found = gate
                .groups
                .iter()
                .find(|found| found.group.starts_with(group))?;
            let share = *found
                .shares
                .get(expert.parse::<usize>().ok()?.checked_sub(1)?)?;
            Some((share, format!("{share:.2}")))
        };
        columns.iter().map(share).collect::<Vec<_>>()
    };
    let rows: Vec<_> = epoch
        .gates
        .iter()
        .map(|gate| (named(gate), cells(gate)))
        .collect();
    let highest = rows
        .iter()
        .flat_map(|(_, cells)| cells)
        .flatten()
        .map(|(share, _)| *share)
        .fold(0.0, f64::max);
    let svg = matrix(&Matrix {
        id: &id,
        title: &title,
        description: &description,
        columns: &columns,
        rows: &rows,
        range: (0.0, highest),
    });
    let heads: Vec<_> = columns.iter().map(|column| format!("#{column}")).collect();
    let names = ["gate"]
        .into_iter()
        .chain(heads.iter().map(String::as_str))
        .chain(["#evenness"]);
    let mut data = Table::new(
        format!("{id}-data"),
        title.clone(),
        &names.collect::<Vec<_>>(),
    );
    for ((name, cells), gate) in rows.iter().zip(&epoch.gates) {
        let shares = cells
            .iter()
            .map(|cell| Cell::share(cell.as_ref().map(|(share, _)| *share)));
        let row = [Cell::text(name)]
            .into_iter()
            .chain(shares)
            .chain([Cell::share(gate.entropy)]);
        data.rows.push(row.collect());
    }
    Figure {
        id,
        title,
        description,
        svg,
        data,
    }
}
