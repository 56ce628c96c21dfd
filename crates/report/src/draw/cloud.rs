//! Points without axes: where only nearness means something, ticks would say too much.

use std::fmt::Write as _;

use super::legend::{Key, ROW, Sample, legend, mark};
use super::svg::{escaped, framed, short};

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 330.0;
const MARGIN: f64 = 12.0;

/// A point: its place, its group, and what is shown when the pointer rests on it.
pub type Point = ((f64, f64), usize, String);

/// A map of posts.
pub struct Cloud<'a> {
    /// Unique on the page.
    pub id: &'a str,
    /// Of the figure.
    pub title: &'a str,
    /// Of the figure, in words.
    pub description: &'a str,
    /// What is shown; later ones lie on top.
    pub points: &'a [Point],
    /// Names of the groups.
    pub groups: &'a [String],
}

/// The drawing.
pub fn cloud(cloud: &Cloud<'_>) -> String {
    let ends = |of: fn(&Point) -> f64| {
        let values = cloud.points.iter().map(of);
        values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let (x, y) = (ends(|point| point.0.0), ends(|point| point.0.1));
    let room = (WIDTH - 2.0 * MARGIN, HEIGHT - 2.0 * MARGIN);
    // one scale for both directions, or near would mean something else across than down
    let span = |(low, high): (f64, f64)| (high - low).max(1e-9);
    let scale = (room.0 / span(x)).min(room.1 / span(y));
    let place = |(px, py): (f64, f64)| {
        let middle = |(low, high): (f64, f64)| f64::midpoint(low, high);
        (
            WIDTH / 2.0 + (px - middle(x)) * scale,
            HEIGHT / 2.0 + (py - middle(y)) * scale,
        )
    };
    let mut body = format!(
        r#"<rect x="0.5" y="0.5" width="{}" height="{}" rx="4" fill="none" stroke="var(--line)"/><g fill-opacity="0.8">"#,
        short(WIDTH - 1.0),
        short(HEIGHT - 1.0)
    );
    for (at, group, said) in cloud.points {
        let mut title = String::new();
        let _ = write!(title, "<title>{}</title>", escaped(said));
        body += &mark(*group, place(*at), 3.2, &title);
    }
    body += "</g>";
    let keys: Vec<_> = (cloud.groups.iter().enumerate())
        .map(|(index, name)| Key {
            name: name.clone(),
            sample: Sample::Mark(index),
        })
        .collect();
    let top = HEIGHT + 6.0;
    body += &legend(&keys, top);
    let size = (WIDTH, top + ROW * keys.len() as f64 + 4.0);
    framed(cloud.id, size, (cloud.title, cloud.description), &body)
}
