//! Comes in: test sets with their runs. Goes out: the sections of the report, the answer first.

mod answer;
mod cards;
mod cost;
mod experts;
mod gates;
mod kinds;
mod leaks;
mod learning;
mod projection;
mod provenance;
mod ranking;
mod tables;

pub use tables::published_figures;

use crate::content::{Block, Report, Section};
use crate::evidence::TestSet;
use crate::runs::{Problem, SweepState};

/// What the sections are made from.
pub struct Input<'a> {
    /// Test sets with their runs.
    pub sets: &'a [TestSet<'a>],
    /// How far sweeps are.
    pub sweeps: &'a [SweepState],
    /// What was left out.
    pub problems: &'a [Problem],
    /// Whether cards show pictures.
    pub pictures: bool,
}

/// The whole report.
pub fn report(input: &Input<'_>) -> Report {
    let section = |id: &str, title: &str, blocks: Vec<Block>| Section {
        id: id.to_owned(),
        title: title.to_owned(),
        blocks,
    };
    let each = |write: fn(&TestSet<'_>) -> Vec<Block>| {
        let several = input.sets.len() > 1;
        let of_set = |set: &TestSet<'_>| {
            let blocks = write(set);
            let name = (several && !blocks.is_empty()).then(|| Block::Part(set.name.clone()));
            name.into_iter().chain(blocks)
        };
        input.sets.iter().flat_map(of_set).collect::<Vec<_>>()
    };
    let sections = vec![
        section("answer", "The answer", answer::blocks(input)),
        section(
            "tables",
            "Accuracy, precision and recall",
            tables::blocks(input),
        ),
        section("experts", "How many experts", experts::blocks(input)),
        section(
            "errors",
            "Errors, ranking and calibration",
            each(ranking::blocks),
        ),
        section("kinds", "Which posts are told right", each(kinds::blocks)),
        section(
            "projection",
            "What the classifier reads",
            each(projection::blocks),
        ),
        section("posts", "Posts", cards::blocks(input)),
        section("learning", "Learning curves", each(learning::blocks)),
        section(
            "gates",
            "What the gates give each expert",
            each(gates::blocks),
        ),
        section(
            "leaks",
            "What leaks between the splits",
            each(leaks::blocks),
        ),
        section("cost", "Cost", each(cost::blocks)),
        section(
            "provenance",
            "Where every number comes from",
            provenance::blocks(input),
        ),
    ];
    let named: Vec<_> = input.sets.iter().map(|set| set.name.as_str()).collect();
    Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: format!("Fake-news detection on {}", named.join(", ")),
        sections: sections
            .into_iter()
            .filter(|section| !section.blocks.is_empty())
            .collect(),
    }
}
