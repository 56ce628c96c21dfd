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

/// More of a group's share than this to one of its experts, or less of the whole to all of them, is a collapse; the
/// sentences of `metrics.jsonl` are of the same.
const ONE: f64 = 0.95;
const UNUSED: f64 = 0.01;

/// The cells of groups that have collapsed: the expert that has all, or all those that have nothing.
fn collapsed(gates: &[Gate], columns: &[String]) -> Vec<(usize, usize)> {
    let mut cells = Vec::new();
    for (row, gate) in gates.iter().enumerate() {
        for group in &gate.groups {
            let all: f64 = group.shares.iter().sum();
            let is_marked = |share: f64| match all < UNUSED {
                true => true,
                false => group.shares.len() > 1 && share > ONE * all,
            };
            let short = group.group.split('_').next().unwrap_or(&group.group);
            let experts = group.shares.iter().zip(1..);
            for (_, expert) in experts.filter(|(share, _)| is_marked(**share)) {
                let column = format!("{short} {expert}");
                cells.extend(
                    columns
                        .iter()
                        .position(|name| *name == column)
                        .map(|column| (row, column)),
                );
            }
        }
    }
    cells
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
            false =>
                "A frame marks a group that has collapsed: onto one expert, or unused as a whole.",
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
        framed: &collapsed(&epoch.gates, &columns),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::GateGroup;

    #[test]
    fn a_group_that_one_expert_has_and_one_that_nobody_reads_are_marked() {
        let group = |group: &str, shares: &[f64]| GateGroup {
            group: group.to_owned(),
            shares: shares.to_vec(),
        };
        let gate = |groups| Gate {
            gate: "text_ple.levels.0.unimodal_gate".to_owned(),
            groups,
            entropy: 0.5,
        };
        let gates = [
            gate(vec![
                group("unimodal", &[0.2, 0.3]),
                group("shared", &[0.25, 0.25]),
            ]),
            gate(vec![
                group("unimodal", &[0.97, 0.01]),
                group("shared", &[0.001, 0.002]),
            ]),
            gate(vec![group("cross_modal", &[1.0])]),
        ];
        let columns = [
            "unimodal 1",
            "unimodal 2",
            "shared 1",
            "shared 2",
            "cross 1",
        ];
        let columns = columns.map(str::to_owned);
        assert_eq!(collapsed(&gates, &columns), [(1, 0), (1, 2), (1, 3)]);
    }
}
