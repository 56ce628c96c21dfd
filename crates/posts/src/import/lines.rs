//! Lines of a file of unknown origin: LF or CRLF, with or without a byte order mark or a line end at the end.

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

/// The data without a UTF-8 byte order mark.
pub(super) fn without_bom(data: &[u8]) -> &[u8] {
    data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data)
}

/// All lines; a line end at the very end begins no further line.
pub(super) fn lines(data: &[u8]) -> Vec<Line<'_>> {
    let data = without_bom(data);
    let data = data.strip_suffix(b"\n").unwrap_or(data);
    let pieces = data.split(|byte| *byte == b'\n').zip(1..);
    pieces
        .map(|(bytes, number)| Line {
            number,
            bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes),
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn texts(data: &[u8]) -> Vec<&str> {
        lines(data)
            .iter()
            .map(|line| line.text().unwrap())
            .collect()
    }

    #[test]
    fn line_ends_and_byte_order_marks_do_not_matter() {
        for data in ["a\nb", "a\nb\n", "a\r\nb\r\n", "\u{feff}a\r\nb"] {
            assert_eq!(texts(data.as_bytes()), ["a", "b"]);
        }
    }

    #[test]
    fn empty_lines_are_lines() {
        assert_eq!(texts(b"a\n\n\n"), ["a", "", ""]);
        assert_eq!(texts(b"\r\n"), [""]);
    }
}
