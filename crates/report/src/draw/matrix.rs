//! Matrices of numbers as coloured cells; drawn here, because the figures in the cells must be readable on each
//! colour, on light ground and on dark.

use std::fmt::Write as _;

use super::colour::STEPS;
use super::svg::{escaped, framed, short};

/// Size of a letter in pixels, about: labels are set in this size.
const LETTER: f64 = 6.6;
const ROW: f64 = 26.0;
const HEAD: f64 = 24.0;
/// No narrower than figures in the cells need, no wider than this.
const CELL: (f64, f64) = (44.0, 96.0);
const WIDTH: f64 = 420.0;

/// A label and a cell for each column, of a value and what is written there; what has no value is left empty.
pub type Row = (String, Vec<Option<(f64, String)>>);

/// Labels and values; the colour goes from `low` to `high`.
pub struct Matrix<'a> {
    /// Unique on the page.
    pub id: &'a str,
    /// Of the figure.
    pub title: &'a str,
    /// Of the figure, in words.
    pub description: &'a str,
    /// Over the columns.
    pub columns: &'a [String],
    /// A label and a cell for each column; what has no value is left empty.
    pub rows: &'a [Row],
    /// Values of the lightest and of the darkest colour.
    pub range: (f64, f64),
    /// Row and column of the cells that have a frame around them.
    pub framed: &'a [(usize, usize)],
}

/// The drawing.
pub fn matrix(matrix: &Matrix<'_>) -> String {
    let letters = |text: &String| text.chars().count() as f64 * LETTER;
    let left = matrix
        .rows
        .iter()
        .map(|(label, _)| letters(label))
        .fold(0.0, f64::max)
        + 12.0;
    let widest = matrix.columns.iter().map(letters).fold(0.0, f64::max) + 12.0;
    let columns = matrix.columns.len().max(1) as f64;
    let cell = ((WIDTH - left) / columns).clamp(CELL.0, CELL.1).max(widest);
    let mut body = String::new();
    for (index, column) in matrix.columns.iter().enumerate() {
        let x = left + cell * (index as f64 + 0.5);
        text(&mut body, (x, HEAD - 8.0), "middle", "var(--soft)", column);
    }
    for (row, (label, cells)) in matrix.rows.iter().enumerate() {
        let y = HEAD + ROW * row as f64;
        text(
            &mut body,
            (left - 8.0, y + ROW / 2.0 + 4.0),
            "end",
            "var(--ink)",
            label,
        );
        for (index, value) in cells.iter().enumerate() {
            let x = left + cell * index as f64;
            if let Some((value, shown)) = value {
                let step = step(*value, matrix.range);
                let _ = write!(
                    body,
                    r#"<g><title>{}, {}: {}</title><rect x="{}" y="{}" width="{}" height="{}" rx="2" fill="var(--m{step})" stroke="var(--line)" stroke-width="0.5"/>"#,
                    escaped(label),
                    escaped(matrix.columns.get(index).map_or("", String::as_str)),
                    escaped(shown),
                    short(x + 1.0),
                    short(y + 1.0),
                    short(cell - 2.0),
                    short(ROW - 2.0)
                );
                let ink = format!("var(--m{step}-ink)");
                text(
                    &mut body,
                    (x + cell / 2.0, y + ROW / 2.0 + 4.0),
                    "middle",
                    &ink,
                    shown,
                );
                body += "</g>";
            }
            if matrix.framed.contains(&(row, index)) {
                let _ = write!(
                    body,
                    r#"<rect x="{}" y="{}" width="{}" height="{}" rx="2" fill="none" stroke="var(--bad)" stroke-width="2"/>"#,
                    short(x + 2.0),
                    short(y + 2.0),
                    short(cell - 4.0),
                    short(ROW - 4.0)
                );
            }
        }
    }
    let size = (
        (left + cell * columns).max(WIDTH),
        HEAD + ROW * matrix.rows.len() as f64 + 4.0,
    );
    framed(matrix.id, size, (matrix.title, matrix.description), &body)
}

fn text(body: &mut String, (x, y): (f64, f64), anchor: &str, colour: &str, text: &str) {
    let _ = write!(
        body,
        r#"<text x="{}" y="{}" font-size="11" text-anchor="{anchor}" fill="{colour}">{}</text>"#,
        short(x),
        short(y),
        escaped(text)
    );
}

fn step(value: f64, (low, high): (f64, f64)) -> usize {
    let share = (value - low) / (high - low).max(f64::MIN_POSITIVE);
    ((share * STEPS as f64) as usize).min(STEPS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_at_the_ends_have_the_end_colours() {
        assert_eq!(step(0.0, (0.0, 1.0)), 0);
        assert_eq!(step(1.0, (0.0, 1.0)), STEPS - 1);
        assert_eq!(step(f64::NAN, (0.0, 1.0)), 0);
        assert_eq!(step(5.0, (5.0, 5.0)), 0);
    }
}
