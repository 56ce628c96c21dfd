//! For every number: how to get it again.

use super::Input;
use crate::content::{Block, Cell, Table};
use crate::runs::Group;

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
            Cell::text(command(group)),
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
    blocks
}

/// The first digits of a fingerprint.
fn short(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

fn command(group: &Group) -> String {
    let run = group.first();
    match &group.origin.sweep {
        Some(sweep) => format!(
            "mmfnd sweep (or ablate) --posts POSTS --store STORE --out {}",
            sweep.display()
        ),
        None => format!(
            "mmfnd train --posts POSTS --store STORE --config {}/config.toml --out NEW",
            run.path.display()
        ),
    }
}
