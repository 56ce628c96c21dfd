//! A figure: a drawing, what it shows in words, and the numbers that it is drawn from.

use serde::Serialize;

use super::Table;

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Unique on the page; letters, digits and hyphens.
    pub id: String,
    /// Above it.
    pub title: String,
    /// What it shows, for those who do not see it; below it for all.
    pub description: String,
    /// SVG whose colours are variables of the page.
    #[serde(skip)]
    pub svg: String,
    /// The numbers that it is drawn from.
    pub data: Table,
}

/// The widest drawings that one column of the page, and two, show in their own size.
const COLUMN: f64 = 430.0;
const TWO_COLUMNS: f64 = 800.0;

impl Figure {
    /// How much of the page it needs to be read: nothing for one column, `wide` for two, `whole` for all.
    pub fn span(&self) -> &'static str {
        let width = self.svg.split_once(" width=\"");
        let width = width.and_then(|(_, rest)| rest.split_once('"'));
        match width.and_then(|(width, _)| width.parse::<f64>().ok()) {
            Some(width) if width > TWO_COLUMNS => "wide whole",
            Some(width) if width > COLUMN => "wide",
            _ => "",
        }
    }
}
