//! What every drawing of the page has: a name, a description, a size that follows the page, short numbers.

use std::fmt::Write as _;

/// A drawing's contents in a root element of ours.
pub(super) fn framed(
    id: &str,
    (width, height): (f64, f64),
    names: (&str, &str),
    contents: &str,
) -> String {
    let (title, description) = (escaped(names.0), escaped(names.1));
    format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" "#,
            r#"aria-labelledby="{id}-name {id}-about" font-family="DejaVu Sans, Verdana, sans-serif" fill="var(--ink)">"#,
            r#"<title id="{id}-name">{title}</title><desc id="{id}-about">{description}</desc>{contents}</svg>"#
        ),
        w = short(width),
        h = short(height),
        id = id,
        title = title,
        description = description,
        contents = contents
    )
}

/// A number with at most two digits behind the point.
pub(super) fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "-0" | "" => "0".to_owned(),
        text => text.to_owned(),
    }
}

/// Text between tags and in attributes.
pub(super) fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

/// Numbers in attributes cut to two digits: a plotting library writes all sixteen.
pub(super) fn shortened(svg: &str) -> String {
    let mut out = String::with_capacity(svg.len());
    let (mut in_tag, mut in_value) = (false, false);
    let mut rest = svg;
    while let Some(character) = rest.chars().next() {
        match character {
            '<' if !in_value => in_tag = true,
            '>' if !in_value => in_tag = false,
            '"' if in_tag => in_value = !in_value,
            _ => {}
        }
        let number = match in_value && character.is_ascii_digit() {
            true => rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len()),
            false => 0,
        };
        match rest[..number].parse::<f64>() {
            Ok(value) if rest[..number].contains('.') => {
                let _ = write!(out, "{}", short(value));
            }
            _ if number > 0 => out += &rest[..number],
            _ => out.push(character),
        }
        rest = &rest[number.max(character.len_utf8())..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_in_attributes_alone() {
        let svg = "<path d=\"M1.23456 2 L-0.001,3.5e0\"/><text x=\"4.999\">0.12345</text>";
        let expected = "<path d=\"M1.23 2 L-0,3.5e0\"/><text x=\"5\">0.12345</text>";
        assert_eq!(shortened(svg), expected);
    }

    #[test]
    fn names_cannot_open_a_tag() {
        let svg = framed("a", (1.0, 2.5), ("<script>", "\"&"), "");
        assert!(
            svg.contains("&lt;script&gt;") && svg.contains("&quot;&amp;"),
            "{svg}"
        );
        assert!(svg.contains("viewBox=\"0 0 1 2.5\""), "{svg}");
    }
}
