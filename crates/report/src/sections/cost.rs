//! What the runs cost.

use std::fs;

use crate::content::{Block, Cell, Table};
use crate::evidence::TestSet;
use crate::runs::Group;

/// Rows of the table.
const ROWS: usize = 40;

pub(super) fn blocks(set: &TestSet<'_>) -> Vec<Block> {
    let columns = [
        "method",
        "#epochs",
        "#encoding time, s",
        "#training time, s",
        "#weights, MB",
        "device",
        "encoders",
    ];
    let title = format!("Cost of a run on {}", set.name);
    let mut table = Table::new(format!("cost-{}", set.key), title, &columns);
    for group in set.groups.iter().take(ROWS) {
        let run = group.first();
        let bytes = fs::metadata(run.path.join("weights.safetensors")).ok();
        let megabytes = bytes.map(|file| file.len() as f64 / 1e6);
        table.rows.push(vec![
            Cell::text(&group.name),
            Cell::count(run.selection.epochs),
            Cell::digits(encoding_seconds(group), 1),
            Cell::digits(seconds(group), 1),
            Cell::digits(megabytes, 1),
            Cell::text(&group.origin.device),
            Cell::text(encoders(group)),
        ]);
    }
    let note = "Encoding time: of all that the store holds of these encoders, once for all runs. Training time: of the run with the lowest seed; in a sweep the whole run on one thread beside others, else the sum of its epochs. Weights: the file of the best epoch, 4 bytes each.";
    table.notes.push(note.to_owned());
    vec![Block::Table(table)]
}

/// Of a sweep's line, else of the epochs; none where the run's version did not record them.
fn seconds(group: &Group) -> Option<f64> {
    let run = group.first();
    run.seconds.or_else(|| {
        let epochs = run.epochs().ok()?;
        epochs.iter().map(|epoch| epoch.seconds).sum()
    })
}

/// Of the encoders whose features the runs read; none where the store does not say it of all.
fn encoding_seconds(group: &Group) -> Option<f64> {
    let encoders = group.origin.encoders.iter();
    let seconds = encoders.map(|encoder| group.origin.encoding_seconds.get(&encoder.name));
    seconds.sum()
}

fn encoders(group: &Group) -> String {
    let names = group.origin.encoders.iter();
    names
        .map(|encoder| encoder.model.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}
