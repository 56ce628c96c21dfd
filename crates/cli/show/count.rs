//! Numbers of things, as messages say them.

/// `1 post`, `2 posts`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
