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
