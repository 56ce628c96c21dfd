//! How loss and accuracy went from epoch to epoch.

use crate::content::{Block, Cell, Figure, Table};
use crate::draw::Chart;
use crate::evidence::TestSet;
use crate::runs::{Epoch, Metrics};

pub(super) fn blocks(set: &TestSet<'_>) -> Vec<Block> {
    let figure = |index: usize, figure: fn(&Metrics) -> f64, name: &str| {
        let group = set.shown.get(index)?.group;
        let epochs = group
            .first()
            .epochs()
            .ok()
            .filter(|epochs| epochs.len() > 1)?;
        Some(draw(
            set,
            (&group.name, name),
            &epochs,
            figure,
            group.first().selection.epoch,
        ))
    };
    let figures: Vec<_> = [
        figure(0, |metrics| metrics.loss, "loss"),
        figure(0, |metrics| metrics.accuracy, "accuracy"),
    ]
    .into_iter()
    .flatten()
    .collect();
    match figures.is_empty() {
        true => Vec::new(),
        false => vec![Block::Figures(figures)],
    }
}

fn draw(
    set: &TestSet<'_>,
    (group, name): (&str, &str),
    epochs: &[Epoch],
    of: fn(&Metrics) -> f64,
    chosen: usize,
) -> Figure {
    let id = format!("learning-{name}-{}", set.key);
    let title = format!("{group}: {name} by epoch");
    let description = format!(
        "Training posts while the weights changed, with dropout, and the posts by which the epoch is chosen, without. Epoch {chosen} was chosen (dashed line)."
    );
    let line = |of_epoch: &dyn Fn(&Epoch) -> f64| {
        epochs
            .iter()
            .map(|epoch| (epoch.epoch as f64, of_epoch(epoch)))
            .collect::<Vec<_>>()
    };
    let (train, selection) = (
        line(&|epoch| of(&epoch.train)),
        line(&|epoch| of(&epoch.selection)),
    );
    let values = train.iter().chain(&selection).map(|(_, value)| *value);
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let margin = ((high - low) * 0.06).max(0.005);
    let (low, high) = (low - margin, high + margin);
    let svg = Chart::new(&id, &title, &description, ("epoch", name))
        .ranges((0.0, epochs.len() as f64 + 0.5), (low, high))
        .whole_numbers()
        .reference("chosen", &[(chosen as f64, low), (chosen as f64, high)])
        .line("training posts", 0, &train)
        .line("validation posts", 1, &selection)
        .svg();
    let mut data = Table::new(
        format!("{id}-data"),
        title.clone(),
        &["#epoch", "#training posts", "#validation posts"],
    );
    for ((epoch, train), (_, selection)) in train.iter().zip(&selection) {
        data.rows.push(vec![
            Cell::count(*epoch as usize),
            Cell::share(*train),
            Cell::share(*selection),
        ]);
    }
    Figure {
        id,
        title,
        description,
        svg,
        data,
    }
}
