//! A decoded picture.

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Red, green, blue, row by row.
    pub data: Vec<u8>,
}
