//! A table: the same for the page, LaTeX, CSV and JSON.

use serde::Serialize;

use crate::numbers::Spread;

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// Over this column and its neighbours of the same group.
    pub group: Option<String>,
    /// Its head.
    pub name: String,
    /// Aligned to the right.
    pub numeric: bool,
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cell {
    /// As it is shown.
    pub text: String,
    /// What it is sorted by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Over seeds, where it is a figure of several runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// The best of its column.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub best: bool,
}

impl Cell {
    /// Whether it holds a sentence, which needs some width to be read.
    pub fn is_long(&self) -> bool {
        self.text.chars().count() > 24
    }

    /// What is shown, and the standard deviation apart where there is one: two lines are narrower than one.
    pub fn parts(&self) -> (&str, Option<&str>) {
        match self.text.split_once(" ± ") {
            Some((mean, sd)) if self.spread.is_some() => (mean, Some(sd)),
            _ => (&self.text, None),
        }
    }

    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// A whole number.
    pub fn count(count: usize) -> Self {
        Self {
            text: count.to_string(),
            value: Some(count as f64),
            ..Self::default()
        }
    }

    /// A share or an area, with three digits; a dash where there is none.
    pub fn share(value: impl Into<Option<f64>>) -> Self {
        Self::digits(value, 3)
    }

    /// A number with so many digits.
    pub fn digits(value: impl Into<Option<f64>>, digits: usize) -> Self {
        match value.into() {
            Some(value) => Self {
                text: format!("{value:.digits$}"),
                value: Some(value),
                ..Self::default()
            },
            None => Self::text("–"),
        }
    }

    /// Mean ± standard deviation of a value a seed; the mean alone for one.
    pub fn spread(values: &[f64]) -> Self {
        let Some(spread) = Spread::of(values) else {
            return Self::text("–");
        };
        let mut cell = Self::share(spread.mean);
        if let Some(sd) = spread.sd {
            cell.text += &format!(" ± {sd:.3}");
        }
        cell.spread = Some(spread);
        cell
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// Unique on the page; letters, digits and hyphens.
    pub id: String,
    /// Above it.
    pub title: String,
    /// Below it: how to read it.
    pub notes: Vec<String>,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Rows of as many cells.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows; a column's name may have a group before a bar (`fake|F1`), and one that begins with `#`
    /// is of numbers.
    pub fn new(id: impl Into<String>, title: impl Into<String>, columns: &[&str]) -> Self {
        let column = |name: &&str| {
            let (numeric, name) = match name.strip_prefix('#') {
                Some(name) => (true, name),
                None => (false, *name),
            };
            let (group, name) = match name.split_once('|') {
                Some((group, name)) => (Some(group.to_owned()), name),
                None => (None, name),
            };
            Column {
                group,
                name: name.to_owned(),
                numeric,
            }
        };
        Self {
            id: id.into(),
            title: title.into(),
            notes: Vec::new(),
            columns: columns.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Marks the largest value of a column, where there are several rows.
    pub fn mark_best(&mut self, column: usize) {
        let value = |row: &Vec<Cell>| row[column].value.unwrap_or(f64::NEG_INFINITY);
        let best = self
            .rows
            .iter()
            .map(value)
            .fold(f64::NEG_INFINITY, f64::max);
        if self.rows.len() > 1 && best.is_finite() {
            for row in &mut self.rows {
                row[column].best = row[column].value == Some(best);
            }
        }
    }

    /// Takes a column away that has no number at all; whether it did.
    pub fn drop_empty(&mut self, column: usize) -> bool {
        let is_empty = self
            .rows
            .iter()
            .all(|row| row[column].value.is_none() && row[column].spread.is_none());
        if is_empty {
            self.columns.remove(column);
            for row in &mut self.rows {
                row.remove(column);
            }
        }
        is_empty
    }

    /// Groups of columns in order, with how many columns each has; an empty name where there is none.
    pub fn groups(&self) -> Vec<(String, usize)> {
        let mut groups: Vec<(String, usize)> = Vec::new();
        for column in &self.columns {
            let name = column.group.clone().unwrap_or_default();
            match groups.last_mut() {
                Some((last, n)) if *last == name && !name.is_empty() => *n += 1,
                _ => groups.push((name, 1)),
            }
        }
        groups
    }

    /// Whether some column is of a group.
    pub fn has_groups(&self) -> bool {
        self.columns.iter().any(|column| column.group.is_some())
    }
}
