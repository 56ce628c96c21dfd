//! Manifests as JSON lines: one object per line.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use super::fields::{EXPECTED, Field, Fields, Header, split_images};
use super::sheet::{Fault, Row, Sheet};
use crate::Error;
use crate::import::Reason;
use crate::import::lines::{Line, lines};

/// Reads JSON lines. A column is there if any object has it; null is the same as nothing.
pub(super) fn read(file: &Path, data: &[u8]) -> Result<Sheet, Error> {
    let lines = lines(data);
    let lines: Vec<&Line> = lines.iter().filter(|line| !line.is_blank()).collect();
    let objects: Vec<_> = lines.iter().map(|line| to_object(line)).collect();
    let keys: BTreeSet<&String> = objects.iter().flatten().flat_map(Map::keys).collect();
    if keys.is_empty() {
        return Err(Error::Column {
            path: file.to_owned(),
            column: "id".to_owned(),
            found: "no JSON object in any line".to_owned(),
            expected: EXPECTED,
        });
    }
    let header = Header::of(keys.into_iter().cloned().collect());
    let rows = lines.iter().zip(objects).map(|(line, object)| Row {
        line: line.number,
        fields: object.and_then(|object| to_fields(&header, &object)),
    });
    Ok(Sheet {
        rows: rows.collect(),
        header,
        notes: Vec::new(),
    })
}

fn to_object(line: &Line) -> Result<Map<String, Value>, Fault> {
    let Some(text) = line.text() else {
        return Err(Fault::new(Reason::NotUtf8, String::new()));
    };
    serde_json::from_str(text)
        .map_err(|error| Fault::new(Reason::NotARecord, format!("no JSON object: {error}")))
}

fn to_fields(header: &Header, object: &Map<String, Value>) -> Result<Fields, Fault> {
    let value = |field| {
        let name = header.column(field).map(|column| &header.names[column]);
        name.and_then(|name| object.get(name))
    };
    let id = to_text(value(Field::Id))
        .unwrap_or_default()
        .trim()
        .to_owned();
    let fault = |reason, detail| Fault::new(reason, detail).of(Some(id.clone()));
    if value(Field::Text).is_none() {
        return Err(fault(Reason::TooFewFields, "there is no `text`".to_owned()));
    }
    let text = |field: Field| {
        to_text(value(field)).ok_or_else(|| {
            let detail = format!("`{}` is neither string nor number", field.names()[0]);
            fault(Reason::NotARecord, detail)
        })
    };
    let images = match value(Field::Image) {
        Some(Value::Array(names)) => names.iter().map(|name| to_text(Some(name))).collect(),
        other => to_text(other).map(|cell| split_images(&cell)),
    };
    let images = images.ok_or_else(|| {
        let detail = "`image` is neither a string nor a list of strings".to_owned();
        fault(Reason::NotARecord, detail)
    })?;
    Ok(Fields {
        text: text(Field::Text)?,
        images,
        label: text(Field::Label)?,
        split: text(Field::Split)?,
        event: text(Field::Event)?,
        ocr_text: text(Field::OcrText)?,
        id: text(Field::Id)?.trim().to_owned(),
    })
}

/// Strings as they are, numbers and truth values as they are written.
fn to_text(value: Option<&Value>) -> Option<String> {
    match value {
        None | Some(Value::Null) => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::Bool(truth)) => Some(truth.to_string()),
        Some(Value::Array(_) | Value::Object(_)) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fields(line: &str) -> Result<Fields, String> {
        let data = format!(r#"{{"id":"","text":"","image":"","label":0}}{}"#, "\n") + line;
        let sheet = read(Path::new("a.jsonl"), data.as_bytes()).unwrap();
        let row = sheet.rows.into_iter().nth(1).unwrap();
        assert_eq!(row.line, 2);
        let described = |fault: Fault| format!("{} {}", fault.reason, fault.detail);
        row.fields.map_err(described)
    }

    #[test]
    fn numbers_lists_and_nulls_are_understood() {
        let read = fields(r#"{"text": "a\n", "id": 5, "image": ["x|y.png", "z.png"], "label": 1}"#);
        let expected = Fields {
            id: "5".to_owned(),
            text: "a\n".to_owned(),
            images: vec!["x|y.png".to_owned(), "z.png".to_owned()],
            label: "1".to_owned(),
            ..Fields::default()
        };
        assert_eq!(read.unwrap(), expected);
        let read = fields(r#"{"text": null, "id": "a", "image": "x.png| y.png", "label": null}"#);
        assert_eq!(read.unwrap().images, ["x.png", "y.png"]);
    }

    #[test]
    fn lines_that_are_no_posts_are_faults() {
        for (line, expected) in [
            ("{", "not a record"),
            ("[1]", "not a record"),
            (r#"{"id": "a"}"#, "too few fields there is no `text`"),
            (r#"{"id": {}, "text": ""}"#, "`id` is neither"),
            (
                r#"{"id": "1", "text": "", "image": [[]]}"#,
                "`image` is neither",
            ),
        ] {
            let error = fields(line).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_file_without_any_object_is_an_error() {
        let error = read(Path::new("a.jsonl"), b"[]\n5\n").err().unwrap();
        assert!(error.to_string().contains("no JSON object"), "{error}");
    }
}
