//! For every number: how to get it again.

use std::path::Path;

use super::Input;
use crate::content::{Block, Cell, Table};
use crate::evidence::TestSet;
use crate::runs::{Group, SweepState, shown};

/// Rows of the table.
const ROWS: usize = 60;

pub(super) fn blocks(input: &Input<'_>) -> Vec<Block> {
    let columns = [
        "method", "command", "#seeds", "store", "posts", "program", "device",
    ];
    let title = "Where the runs come from";
    let mut table = Table::new("provenance", title, &columns);
    let groups: Vec<_> = input.sets.iter().flat_map(|set| &set.groups).collect();
    for group in groups.iter().take(ROWS) {
        let origin = &group.origin;
        let commit = origin
            .commit
            .as_ref()
            .map_or(String::new(), |commit| format!(" ({})", short(commit)));
        let mut seeds = Cell::count(group.runs.len());
        seeds.text = (group.runs.iter().map(|run| run.seed.to_string()))
            .collect::<Vec<_>>()
            .join(" ");
        table.rows.push(vec![
            Cell::text(&group.name),
            Cell::text(command(group, input.sweeps)),
            seeds,
            Cell::text(short(&origin.store)),
            Cell::text(short(&origin.posts)),
            Cell::text(format!("{}{commit}", origin.version)),
            Cell::text(&origin.device),
        ]);
    }
    if groups.len() > ROWS {
        table.notes.push(format!(
            "{} rows more; the folders have them all.",
            groups.len() - ROWS
        ));
    }
    let note = "POSTS and STORE: the files with these fingerprints (mmfnd features inspect prints that of a store). Each run's config.toml has every setting.";
    table.notes.push(note.to_owned());
    let sweeps = (input.sweeps.iter()).map(|sweep| {
        let axes: Vec<_> = sweep.axes.iter().map(|axis| axis.key.as_str()).collect();
        let axes = if axes.is_empty() {
            "seeds alone".to_owned()
        } else {
            axes.join(", ")
        };
        Block::Text(format!(
            "Sweep {}: {} of {} runs finished, {} failed; varied: {axes}.",
            sweep.path.display(),
            sweep.finished,
            sweep.runs,
            sweep.failed
        ))
    });
    let mut blocks: Vec<_> = sweeps.collect();
    blocks.push(Block::Table(table));
    blocks.extend(
        input
            .sets
            .iter()
            .map(|set| Block::Table(configuration(set))),
    );
    blocks
}

/// Every setting of the run that the answer is about.
fn configuration(set: &TestSet<'_>) -> Table {
    let best = set.best();
    let title = format!("Configuration of {} on {}", best.name, set.name);
    let mut table = Table::new(
        format!("configuration-{}", set.key),
        title,
        &["key", "value"],
    );
    for (key, value) in &best.origin.config {
        table
            .rows
            .push(vec![Cell::text(key), Cell::text(shown(value))]);
    }
    table
}

/// The first digits of a fingerprint.
fn short(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

/// Its axes as they would be asked for again; `mmfnd ablate` is a sweep like any other.
fn sweep_command(folder: &Path, run: &Path, sweeps: &[SweepState]) -> String {
    let mut command = format!(
        "mmfnd sweep --posts POSTS --store STORE --config {}/config.toml --out NEW",
        run.display()
    );
    if let Some(sweep) = sweeps.iter().find(|sweep| sweep.path == *folder) {
        for axis in &sweep.axes {
            let values: Vec<_> = axis.values.iter().map(shown).collect();
            command += &format!(" --grid {}={}", axis.key, values.join(","));
        }
        command += &format!(" --seeds {}", sweep.seeds);
    }
    command
}

fn command(group: &Group, sweeps: &[SweepState]) -> String {
    let run = group.first();
    match &group.origin.sweep {
        Some(sweep) => sweep_command(sweep, &run.path, sweeps),
        None => format!(
            "mmfnd train --posts POSTS --store STORE --config {}/config.toml --out NEW",
            run.path.display()
        ),
    }
}
