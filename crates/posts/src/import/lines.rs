//! Lines of a file of unknown origin: LF or CRLF, with or without a byte order mark or a line end at the end.

use std::io::{self, BufRead};

/// What may stand before a text in UTF-8.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub number: u64,
    /// Without its line end.
    pub bytes: &'a [u8],
}

impl<'a> Line<'a> {
    /// The line as text, if it is UTF-8.
    pub(super) fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes).ok()
    }

    /// Whether only white space stands here.
    pub(super) fn is_blank(&self) -> bool {
        self.bytes.trim_ascii().is_empty()
    }
}

/// All lines of data without a byte order mark; a line end at the very end begins no further line.
pub(super) fn lines(data: &[u8]) -> Vec<Line<'_>> {
    let data = data.strip_suffix(b"\n").unwrap_or(data);
    let pieces = data.split(|byte| *byte == b'\n').zip(1..);
    pieces
        .map(|(bytes, number)| Line {
            number,
            bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes),
        })
        .collect()
}

/// Goes through lines as [`lines`] gives them, one in memory at a time.
pub(super) fn for_each_line(mut from: impl BufRead, mut visit: impl FnMut(Line)) -> io::Result<()> {
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        if from.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        visit(Line {
            number,
            bytes: line.strip_suffix(b"\r").unwrap_or(line),
        });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn texts(data: &[u8]) -> Vec<String> {
        let owned = |line: &Line| line.text().unwrap().to_owned();
        let all: Vec<String> = lines(data).iter().map(owned).collect();
        let mut one_by_one = Vec::new();
        for_each_line(data, |line| one_by_one.push(owned(&line))).unwrap();
        assert_eq!(all, one_by_one);
        all
    }

    #[test]
    fn line_ends_do_not_matter() {
        for data in ["a\nb", "a\nb\n", "a\r\nb\r\n", "a\r\nb"] {
            assert_eq!(texts(data.as_bytes()), ["a", "b"]);
        }
    }

    #[test]
    fn empty_lines_are_lines() {
        assert_eq!(texts(b"a\n\n\n"), ["a", "", ""]);
        assert_eq!(texts(b"\r\n"), [""]);
    }
}
