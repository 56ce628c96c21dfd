//! What stands below a drawing: a row for each series, since names are long and telephones narrow.

use std::fmt::Write as _;

use super::colour::{SERIES, series};
use super::svg::{escaped, short};

/// Height of a row, where it begins on the left, and how many letters have room in it.
pub(super) const ROW: f64 = 19.0;
const LEFT: f64 = 14.0;
const LETTERS: usize = 48;

/// What stands before a name.
pub(super) enum Sample {
    /// A line in the colour of a series; of those that share a colour the later ones are dashed.
    Line(usize),
    /// The mark of a series.
    Mark(usize),
    /// What is compared with.
    Reference,
}

/// A row.
pub(super) struct Key {
    pub name: String,
    pub sample: Sample,
}

/// The rows, from `top` down.
pub(super) fn legend(keys: &[Key], top: f64) -> String {
    let mut text = String::new();
    for (row, key) in keys.iter().enumerate() {
        let y = top + ROW * (row as f64 + 0.5);
        let dashes = r#" stroke-dasharray="6 4""#;
        match key.sample {
            Sample::Line(index) => {
                let dashes = if index >= SERIES { dashes } else { "" };
                text += &line(y, &series(index), dashes);
            }
            Sample::Mark(index) => text += &mark(index, (LEFT + 12.0, y), 4.5, ""),
            Sample::Reference => text += &line(y, "var(--rule)", dashes),
        }
        let name = match key.name.char_indices().nth(LETTERS) {
            Some((end, _)) => format!("{}…", &key.name[..end]),
            None => key.name.clone(),
        };
        let _ = write!(
            text,
            r#"<text x="{}" y="{}" font-size="12">{}</text>"#,
            short(LEFT + 32.0),
            short(y + 4.0),
            escaped(&name)
        );
    }
    text
}

fn line(y: f64, colour: &str, dashes: &str) -> String {
    let y = short(y);
    format!(r#"<path d="M{LEFT} {y}h24" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>"#)
}

/// A mark whose shape and colour say which series it is of, with what is inside its element.
pub(super) fn mark(index: usize, (x, y): (f64, f64), size: f64, inside: &str) -> String {
    let colour = series(index);
    let d = match index % SERIES {
        0 => {
            let (x, y, r) = (short(x), short(y), short(size * 0.9));
            return format!(
                r#"<circle cx="{x}" cy="{y}" r="{r}" fill="{colour}">{inside}</circle>"#
            );
        }
        1 => path(
            &[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
            (x, y),
            size,
        ),
        2 => path(&[(0.0, -1.1), (1.0, 0.8), (-1.0, 0.8)], (x, y), size),
        3 => path(
            &[(0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)],
            (x, y),
            size,
        ),
        4 => {
            let (a, b) = (0.36, 1.1);
            let plus = [
                (-a, -b),
                (a, -b),
                (a, -a),
                (b, -a),
                (b, a),
                (a, a),
                (a, b),
                (-a, b),
                (-a, a),
                (-b, a),
                (-b, -a),
                (-a, -a),
            ];
            path(&plus, (x, y), size)
        }
        _ => path(&[(0.0, 1.1), (1.0, -0.8), (-1.0, -0.8)], (x, y), size),
    };
    format!(r#"<path d="{d}" fill="{colour}">{inside}</path>"#)
}

fn path(corners: &[(f64, f64)], (x, y): (f64, f64), size: f64) -> String {
    let corner =
        |(dx, dy): &(f64, f64)| format!("{} {}", short(x + dx * size), short(y + dy * size));
    let corners: Vec<_> = corners.iter().map(corner).collect();
    format!("M{}Z", corners.join("L"))
}
