//! Lines on standard error that nothing depends on.

use std::fmt::Display;
use std::io::Write;

/// Says something on standard error. Where that cannot be written (a full disk under a log) the line is lost, and
/// nothing else; `eprintln!` would end the program.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
