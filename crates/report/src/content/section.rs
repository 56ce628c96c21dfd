//! The report as a whole.

use serde::Serialize;

use super::{Card, Figure, Table};

/// A part of a section.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A heading below the section's own: the test set of what follows.
    Part(String),
    /// A paragraph.
    Text(String),
    /// What limits the figures.
    Warnings(Vec<String>),
    /// A large number with what it is.
    Headline {
        /// The number.
        value: String,
        /// Beside it.
        label: String,
        /// Below it.
        details: Vec<String>,
    },
    /// A table.
    Table(Table),
    /// Narrow tables side by side.
    Tables(Vec<Table>),
    /// Figures side by side.
    Figures(Vec<Figure>),
    /// Posts.
    Cards(Vec<Card>),
}

/// A section of the page.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    /// Unique on the page.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// What it holds.
    pub blocks: Vec<Block>,
}

/// All that the page shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Of this program.
    pub version: String,
    /// Its heading.
    pub title: String,
    /// In order; those without anything to show are left out.
    pub sections: Vec<Section>,
}

impl Report {
    /// All tables, those behind figures left out.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.blocks().flat_map(|block| match block {
            Block::Table(table) => std::slice::from_ref(table),
            Block::Tables(tables) => tables,
            _ => &[],
        })
    }

    /// All figures.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        let figures = self.blocks().filter_map(|block| match block {
            Block::Figures(figures) => Some(figures),
            _ => None,
        });
        figures.flatten()
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.sections.iter().flat_map(|section| &section.blocks)
    }
}
