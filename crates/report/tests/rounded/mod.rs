//! Drawings as they are compared with their snapshots.

use std::fmt::Write as _;

/// One element a line, coordinates to whole pixels: another version of a library may change the rest.
pub fn rounded(svg: &str) -> String {
    let mut text = String::new();
    let mut rest = svg;
    while let Some(character) = rest.chars().next() {
        let is_number = character.is_ascii_digit();
        let length = match is_number {
            true => rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len()),
            false => character.len_utf8(),
        };
        match rest[..length].parse::<f64>() {
            Ok(number) if rest[..length].contains('.') => write!(text, "{number:.0}").unwrap(),
            _ => text += &rest[..length],
        }
        rest = &rest[length..];
    }
    text.replace("><", ">\n<")
}
