//! Manifests as CSV (RFC 4180: commas, quoted where needed) and TSV (tabs, never quoted).

use std::path::Path;

use csv::ByteRecord;

use super::fields::{Field, Fields, Header, split_images};
use super::sheet::{Fault, Row, Sheet};
use crate::Error;
use crate::import::Reason;
use crate::import::lines::without_bom;

/// Reads CSV.
pub(super) fn csv(file: &Path, data: &[u8]) -> Result<Sheet, Error> {
    let data = without_bom(data);
    let mut notes = Vec::new();
    if data.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
        let note = "the number of quotation marks is odd: an unclosed one swallows the lines up to the next one";
        notes.push(note.to_owned());
    }
    read(file, data, &mut csv::ReaderBuilder::new(), notes)
}

/// Reads TSV. A quotation mark is a character like any other, as in MediaEval's files.
pub(super) fn tsv(file: &Path, data: &[u8]) -> Result<Sheet, Error> {
    let data = without_bom(data);
    let mut builder = csv::ReaderBuilder::new();
    let mut sheet = read(
        file,
        data,
        builder.delimiter(b'\t').quoting(false),
        Vec::new(),
    )?;
    let quoted = |text: &&Fields| {
        let text = text.text.as_bytes();
        text.len() > 1 && text.starts_with(b"\"") && text.ends_with(b"\"")
    };
    let rows = sheet.rows.iter().filter_map(|row| row.fields.as_ref().ok());
    let quoted = rows.filter(quoted).count();
    if quoted > 0 {
        sheet.notes.push(format!(
            "{quoted} texts stand in quotation marks, which are kept: save as CSV if your program added them"
        ));
    }
    Ok(sheet)
}

fn read(
    file: &Path,
    data: &[u8],
    builder: &mut csv::ReaderBuilder,
    notes: Vec<String>,
) -> Result<Sheet, Error> {
    let failed = |source: csv::Error| Error::Read {
        path: file.to_owned(),
        source: source.into(),
    };
    let mut reader = builder.has_headers(false).flexible(true).from_reader(data);
    let mut lines = LineCounter {
        data,
        at: 0,
        line: 1,
    };
    let mut record = ByteRecord::new();
    let mut header = None;
    let mut rows = Vec::new();
    while reader.read_byte_record(&mut record).map_err(failed)? {
        let start = record.position().map_or(0, |position| position.byte());
        let line = lines.of(start);
        match &header {
            None => header = Some(to_header(&record)),
            Some(header) => rows.push(Row {
                line,
                fields: to_fields(header, &record),
            }),
        }
    }
    Ok(Sheet {
        header: header.unwrap_or_else(|| Header::of(Vec::new())),
        rows,
        notes,
    })
}

/// The reader's own line of a record is that of the blank lines before it.
struct LineCounter<'a> {
    data: &'a [u8],
    at: usize,
    line: u64,
}

impl LineCounter<'_> {
    /// The line of the record whose search began at `start`; called with growing values.
    fn of(&mut self, start: u64) -> u64 {
        let start = usize::try_from(start)
            .unwrap_or(usize::MAX)
            .min(self.data.len());
        let blank = self.data[start..].iter();
        let blank = blank
            .take_while(|byte| matches!(byte, b'\n' | b'\r'))
            .count();
        let passed = &self.data[self.at.min(start)..start + blank];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = start + blank;
        self.line
    }
}

fn to_header(record: &ByteRecord) -> Header {
    let name = |name: &[u8]| String::from_utf8_lossy(name).trim().to_owned();
    Header::of(record.iter().map(name).collect())
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

    fn rows(sheet: &Sheet) -> Vec<(u64, String)> {
        let fields = |row: &Row| match &row.fields {
            Ok(fields) => fields.text.clone(),
            Err(fault) => format!("{}: {}", fault.reason, fault.detail),
        };
        sheet
            .rows
            .iter()
            .map(|row| (row.line, fields(row)))
            .collect()
    }

    #[test]
    fn csv_may_have_blank_lines_and_texts_of_several_lines() {
        let data = b"\xEF\xBB\xBFID,Text\r\n\r\n\r\n1,\"a\r\nb \"\"c\"\"\"\r\n\n2,d";
        let sheet = csv(Path::new("a.csv"), data).unwrap();
        let expected = [(4, "a\r\nb \"c\"".to_owned()), (7, "d".to_owned())];
        assert_eq!(rows(&sheet), expected);
        assert!(sheet.notes.is_empty());
    }

    #[test]
    fn an_unclosed_quotation_mark_is_said() {
        let sheet = csv(Path::new("a.csv"), b"id,text\n1,\"a\n2,b\n").unwrap();
        assert_eq!(rows(&sheet), [(2, "a\n2,b\n".to_owned())]);
        assert!(sheet.notes[0].contains("odd"), "{:?}", sheet.notes);
    }

    #[test]
    fn tsv_keeps_quotation_marks() {
        let data = b"id\ttext\n1\t\"a\n2\t\"b\"\n";
        let sheet = tsv(Path::new("a.tsv"), data).unwrap();
        assert_eq!(
            rows(&sheet),
            [(2, "\"a".to_owned()), (3, "\"b\"".to_owned())]
        );
        assert!(sheet.notes[0].starts_with("1 texts"), "{:?}", sheet.notes);
    }

    #[test]
    fn rows_of_another_length_and_other_encodings_are_faults() {
        let data = b"id,text\n1\n2,a,b\n3,\xFF\n";
        let sheet = csv(Path::new("a.csv"), data).unwrap();
        let expected = [
            (2, "too few fields: 1 instead of 2"),
            (3, "too many fields: 3 instead of 2"),
            (4, "not UTF-8: column `text`"),
        ];
        let expected = expected.map(|(line, text)| (line, text.to_owned()));
        assert_eq!(rows(&sheet), expected);
    }
}
