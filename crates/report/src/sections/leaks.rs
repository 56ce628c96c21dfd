//! The leak audit of the import.

use crate::content::{Block, Cell, Table};
use crate::evidence::TestSet;

pub(super) fn blocks(set: &TestSet<'_>) -> Vec<Block> {
    let Some(import) = set.posts.and_then(|posts| posts.import.as_ref()) else {
        return Vec::new();
    };
    let mut blocks = Vec::new();
    match import.audit.findings.is_empty() {
        true => blocks.push(Block::Text(
            "The import found no leak between the splits.".to_owned(),
        )),
        false => blocks.push(Block::Warnings(import.audit.findings.clone())),
    }
    if !import.audit.guesses.is_empty() {
        let title = format!(
            "How far one property of a post alone tells its label ({})",
            set.name
        );
        let mut table = Table::new(
            format!("guesses-{}", set.key),
            title,
            &["property", "#accuracy"],
        );
        for guess in &import.audit.guesses {
            table
                .rows
                .push(vec![Cell::text(&guess.from), Cell::share(guess.accuracy)]);
        }
        let note = "Of the best guess over all labelled posts; what comes near a head's accuracy is a warning about the dataset.";
        table.notes.push(note.to_owned());
        blocks.push(Block::Table(table));
    }
    blocks
}
