//! Values of options that are out of range are named, with the range.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// Says which option is out of range.
pub(crate) fn within<T: PartialOrd + Display>(
    key: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), String> {
    let (low, high) = (range.start(), range.end());
    match range.contains(&value) {
        true => Ok(()),
        false => Err(format!(
            "`{key}` is {value}; it has to be from {low} to {high}"
        )),
    }
}
