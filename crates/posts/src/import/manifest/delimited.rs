//! Manifests as CSV (RFC 4180: commas, quoted where needed) and TSV (tabs, never quoted).

use std::io::{self, BufRead};
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::fields::{EXPECTED, Field, Fields, Header, split_images};
use super::row::{Fault, Row};
use crate::Error;
use crate::import::Reason;
use crate::import::source_file::{check_header, empty, open};

/// What stands between the fields of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Separator {
    /// CSV.
    Comma,
    /// TSV: a quotation mark is a character like any other, as in MediaEval's files.
    Tab,
}

impl Separator {
    fn reader<R: BufRead>(self, from: R) -> Reader<R> {
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true);
        if self == Self::Tab {
            builder.delimiter(b'\t').quoting(false);
        }
        builder.from_reader(from)
    }
}

/// The first row that is not blank.
pub(super) fn header(file: &Path, separator: Separator) -> Result<Header, Error> {
    let mut record = ByteRecord::new();
    let mut reader = separator.reader(open(file, EXPECTED)?);
    let read = reader.read_byte_record(&mut record);
    if !read.map_err(|source| failed(file, source.into()))? {
        return Err(empty(file, EXPECTED));
    }
    check_header(file, record.as_slice(), EXPECTED)?;
    let name = |name: &[u8]| String::from_utf8_lossy(name).trim().to_owned();
    Ok(Header::of(record.iter().map(name).collect()))
}

/// Goes through the rows; returns what the user should know about them.
pub(super) fn for_each_row(
    file: &Path,
    separator: Separator,
    header: &Header,
    mut visit: impl FnMut(Row),
) -> Result<Vec<String>, Error> {
    let mut reader = separator.reader(open(file, EXPECTED)?);
    let mut lines = LineCounter::new(open(file, EXPECTED)?);
    let mut record = ByteRecord::new();
    let mut is_header = true;
    let mut quoted = 0;
    loop {
        let read = reader.read_byte_record(&mut record);
        if !read.map_err(|source| failed(file, source.into()))? {
            break;
        }
        let start = record.position().map_or(0, |position| position.byte());
        let line = lines.of(start).map_err(|source| failed(file, source))?;
        if is_header {
            is_header = false;
            continue;
        }
        let fields = to_fields(header, &record);
        quoted += usize::from(fields.as_ref().is_ok_and(is_quoted));
        visit(Row { line, fields });
    }
    let quotes = lines.quotes().map_err(|source| failed(file, source))?;
    let mut notes = Vec::new();
    if separator == Separator::Comma && quotes % 2 == 1 {
        let note = "the number of quotation marks is odd: an unclosed one swallows the lines up to the next one";
        notes.push(note.to_owned());
    }
    if separator == Separator::Tab && quoted > 0 {
        notes.push(format!(
            "{quoted} texts stand in quotation marks, which are kept: save as CSV if your program added them"
        ));
    }
    Ok(notes)
}

fn failed(file: &Path, source: io::Error) -> Error {
    Error::Read {
        path: file.to_owned(),
        source,
    }
}

fn is_quoted(fields: &Fields) -> bool {
    let text = fields.text.as_bytes();
    text.len() > 1 && text.starts_with(b"\"") && text.ends_with(b"\"")
}

/// Goes through a file behind its reader: the reader's own line of a record is that of the blank lines before it.
struct LineCounter<R> {
    from: R,
    at: u64,
    line: u64,
    quotes: u64,
}

impl<R: BufRead> LineCounter<R> {
    fn new(from: R) -> Self {
        Self {
            from,
            at: 0,
            line: 1,
            quotes: 0,
        }
    }

    /// The line of the record whose search began at `start`; called with growing values.
    fn of(&mut self, start: u64) -> io::Result<u64> {
        let before = |at: u64, bytes: &[u8]| {
            let left = usize::try_from(start.saturating_sub(at));
            left.unwrap_or(usize::MAX).min(bytes.len())
        };
        self.pass(before)?;
        let is_blank = |byte: &&u8| matches!(byte, b'\n' | b'\r');
        self.pass(|_, bytes| bytes.iter().take_while(is_blank).count())?;
        Ok(self.line)
    }

    /// Quotation marks in the whole file.
    fn quotes(mut self) -> io::Result<u64> {
        self.pass(|_, bytes| bytes.len())?;
        Ok(self.quotes)
    }

    /// Passes over so many of the next bytes as `passed` says, until it stops before the last of them.
    fn pass(&mut self, passed: impl Fn(u64, &[u8]) -> usize) -> io::Result<()> {
        loop {
            let bytes = self.from.fill_buf()?;
            let count = passed(self.at, bytes);
            let number = |wanted: u8| {
                bytes[..count]
                    .iter()
                    .filter(|byte| **byte == wanted)
                    .count()
            };
            self.line += number(b'\n') as u64;
            self.quotes += number(b'"') as u64;
            let is_last = count < bytes.len() || bytes.is_empty();
            self.from.consume(count);
            self.at += count as u64;
            if is_last {
                return Ok(());
            }
        }
    }
}

fn to_fields(header: &Header, record: &ByteRecord) -> Result<Fields, Fault> {
    let bytes = |field| header.column(field).and_then(|column| record.get(column));
    let id = bytes(Field::Id).and_then(|id| std::str::from_utf8(id).ok());
    let fault = |reason, detail| Fault::new(reason, detail).of(id.map(|id| id.trim().to_owned()));
    let wanted = header.names.len();
    let detail = || format!("{} instead of {wanted}", record.len());
    if record.len() < wanted {
        return Err(fault(Reason::TooFewFields, detail()));
    }
    if record.len() > wanted {
        return Err(fault(Reason::TooManyFields, detail()));
    }
    let text = |field| match std::str::from_utf8(bytes(field).unwrap_or_default()) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => {
            let detail = format!("column `{}`", field.names()[0]);
            Err(fault(Reason::NotUtf8, detail))
        }
    };
    Ok(Fields {
        id: text(Field::Id)?.trim().to_owned(),
        text: text(Field::Text)?,
        images: split_images(&text(Field::Image)?),
        label: text(Field::Label)?,
        split: text(Field::Split)?,
        event: text(Field::Event)?,
        ocr_text: text(Field::OcrText)?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The rows of a file, and what is said about them.
    fn read(separator: Separator, data: &[u8]) -> (Vec<(u64, String)>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, data).unwrap();
        let header = header(&path, separator).unwrap();
        let mut rows = Vec::new();
        let notes = for_each_row(&path, separator, &header, |row| {
            let fields = match row.fields {
                Ok(fields) => fields.text,
                Err(fault) => format!("{}: {}", fault.reason, fault.detail),
            };
            rows.push((row.line, fields));
        });
        (rows, notes.unwrap())
    }

    #[test]
    fn csv_may_have_blank_lines_and_texts_of_several_lines() {
        let data = b"\xEF\xBB\xBFID,Text\r\n\r\n\r\n1,\"a\r\nb \"\"c\"\"\"\r\n\n2,d";
        let (rows, notes) = read(Separator::Comma, data);
        let expected = [(4, "a\r\nb \"c\"".to_owned()), (7, "d".to_owned())];
        assert_eq!(rows, expected);
        assert!(notes.is_empty());
    }

    #[test]
    fn an_unclosed_quotation_mark_is_said() {
        let (rows, notes) = read(Separator::Comma, b"id,text\n1,\"a\n2,b\n");
        assert_eq!(rows, [(2, "a\n2,b\n".to_owned())]);
        assert!(notes[0].contains("odd"), "{:?}", notes);
    }

    #[test]
    fn tsv_keeps_quotation_marks() {
        let data = b"id\ttext\n1\t\"a\n2\t\"b\"\n";
        let (rows, notes) = read(Separator::Tab, data);
        assert_eq!(rows, [(2, "\"a".to_owned()), (3, "\"b\"".to_owned())]);
        assert!(notes[0].starts_with("1 texts"), "{:?}", notes);
    }

    #[test]
    fn rows_of_another_length_and_other_encodings_are_faults() {
        let data = b"id,text\n1\n2,a,b\n3,\xFF\n";
        let (rows, _) = read(Separator::Comma, data);
        let expected = [
            (2, "too few fields: 1 instead of 2"),
            (3, "too many fields: 3 instead of 2"),
            (4, "not UTF-8: column `text`"),
        ];
        let expected = expected.map(|(line, text)| (line, text.to_owned()));
        assert_eq!(rows, expected);
    }
}
