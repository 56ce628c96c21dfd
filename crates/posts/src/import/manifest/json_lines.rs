//! Manifests as JSON lines: one object per line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::de::IgnoredAny;

use super::fields::{EXPECTED, Field, Fields, Header, split_images};
use super::row::{Fault, Row};
use crate::Error;
use crate::import::Reason;
use crate::import::lines::{Line, for_each_line};
use crate::import::source_file::open;

/// An object, its values as they are written: a number that is read as one loses digits.
type Object<'a> = BTreeMap<String, &'a str>;

/// The fields that any object has.
pub(super) fn header(file: &Path) -> Result<Header, Error> {
    let mut keys = BTreeSet::new();
    let read = for_each_line(open(file, EXPECTED)?, |line| {
        let object = serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(line.bytes);
        keys.extend(object.into_iter().flat_map(BTreeMap::into_keys));
    });
    read.map_err(|source| failed(file, source))?;
    if keys.is_empty() {
        return Err(Error::Column {
            path: file.to_owned(),
            column: "id".to_owned(),
            found: "no JSON object in any line".to_owned(),
            expected: EXPECTED,
        });
    }
    Ok(Header::of_rows(keys.into_iter().collect()))
}

/// Goes through the rows; null is the same as nothing.
pub(super) fn for_each_row(
    file: &Path,
    header: &Header,
    mut visit: impl FnMut(Row),
) -> Result<(), Error> {
    let read = for_each_line(open(file, EXPECTED)?, |line| {
        if !line.is_blank() {
            let fields = to_object(&line).and_then(|object| to_fields(header, &object));
            visit(Row {
                line: line.number,
                fields,
            });
        }
    });
    read.map_err(|source| failed(file, source))
}

fn failed(file: &Path, source: std::io::Error) -> Error {
    Error::Read {
        path: file.to_owned(),
        source,
    }
}

fn to_object<'a>(line: &Line<'a>) -> Result<Object<'a>, Fault> {
    let Some(text) = line.text() else {
        return Err(Fault::new(Reason::NotUtf8, String::new()));
    };
    let checked = serde_json::from_str::<BTreeMap<String, IgnoredAny>>(text);
    checked.map_err(|error| no_object(&error))?;
    let mut object = Object::new();
    for member in pieces(inside(text), b',') {
        if let [key, value] = pieces(member, b':')[..] {
            let key = serde_json::from_str(key).map_err(|error| no_object(&error))?;
            object.insert(key, value);
        }
    }
    Ok(object)
}

/// What stands within the brackets of a list or an object.
fn inside(json: &str) -> &str {
    let json = json.trim();
    &json[1..json.len() - 1]
}

/// The pieces of valid JSON between separators, those within texts, lists and objects aside.
fn pieces(json: &str, separator: u8) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut depth, mut in_text, mut is_escaped) = (0, 0, false, false);
    for (at, byte) in json.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ if byte == separator && depth == 0 => {
                pieces.push(json[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(json[start..].trim());
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn no_object(error: &serde_json::Error) -> Fault {
    Fault::new(Reason::NotARecord, format!("no JSON object: {error}"))
}

/// The value of a field; of several the one under its usual name, but nothing goes last.
fn value<'a>(object: &Object<'a>, field: Field) -> Option<&'a str> {
    let values = object.iter().filter_map(|(name, value)| {
        let is_nothing = *value == "null";
        Some(((is_nothing, field.rank(name)?), *value))
    });
    let best = values.min_by_key(|(rank, _)| *rank);
    best.map(|(_, value)| value)
}

fn to_fields(header: &Header, object: &Object) -> Result<Fields, Fault> {
    let value = |field| match header.has(field) {
        true => value(object, field),
        false => None,
    };
    let id = to_text(value(Field::Id)).ok().flatten();
    let id = id.unwrap_or_default().trim().to_owned();
    let fault = |fault: Fault| fault.of(Some(id.clone()));
    if value(Field::Text).is_none() {
        let detail = "there is no `text`".to_owned();
        return Err(fault(Fault::new(Reason::TooFewFields, detail)));
    }
    let text = |field: Field| {
        let text = to_text(value(field)).map_err(fault)?;
        text.ok_or_else(|| {
            let detail = format!("`{}` is neither string nor number", field.names()[0]);
            fault(Fault::new(Reason::NotARecord, detail))
        })
    };
    let images = to_images(value(Field::Image)).map_err(fault)?;
    let images = images.ok_or_else(|| {
        let detail = "`image` is neither a string nor a list of strings".to_owned();
        fault(Fault::new(Reason::NotARecord, detail))
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

/// The names in a list, or in a text with `|` between them; `None` for anything else.
fn to_images(value: Option<&str>) -> Result<Option<Vec<String>>, Fault> {
    match value {
        Some(list) if list.starts_with('[') => {
            let names = pieces(inside(list), b',').into_iter();
            names.map(|name| to_text(Some(name))).collect()
        }
        other => Ok(to_text(other)?.map(|cell| split_images(&cell))),
    }
}

/// Strings as they are, numbers and truth values as they are written; `None` for lists and objects.
fn to_text(value: Option<&str>) -> Result<Option<String>, Fault> {
    match value {
        None | Some("null") => Ok(Some(String::new())),
        Some(list) if list.starts_with(['[', '{']) => Ok(None),
        Some(text) if text.starts_with('"') => {
            let text = serde_json::from_str(text);
            text.map(Some).map_err(|error| no_object(&error))
        }
        Some(number) => Ok(Some(number.to_owned())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The header and the rows of a file.
    fn read(data: &str) -> (Header, Vec<Row>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, data).unwrap();
        let header = header(&path).unwrap();
        let mut rows = Vec::new();
        for_each_row(&path, &header, |row| rows.push(row)).unwrap();
        (header, rows)
    }

    fn fields(line: &str) -> Result<Fields, String> {
        let data = format!(r#"{{"id":"","text":"","image":"","label":0}}{}"#, "\n") + line;
        let (_, rows) = read(&data);
        let row = rows.into_iter().nth(1).unwrap();
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, "[]\n5\n").unwrap();
        let error = header(&path).unwrap_err().to_string();
        assert!(error.contains("no JSON object"), "{error}");
    }

    #[test]
    fn each_row_may_name_its_fields_as_it_likes() {
        let data = r#"{"id": "1", "text": "a", "image": "x.png"}
{"ID": "2", "Text": "b", "images": ["y.png"]}
{"post_id": "3", "text": "c", "Image": "z.png", "likes": 5}
{"post_id": "4", "id": "four", "text": "d", "TEXT": "D", "image": null, "images": "w.png"}
"#;
        let (header, rows) = read(data);
        let read: Vec<_> = rows
            .into_iter()
            .map(|row| row.fields.ok().unwrap())
            .collect();
        let read = read
            .iter()
            .map(|row| (row.id.as_str(), row.text.as_str(), row.images.join("|")));
        let expected = [
            ("1", "a", "x.png"),
            ("2", "b", "y.png"),
            ("3", "c", "z.png"),
            ("four", "d", "w.png"),
        ];
        assert!(read.eq(expected.map(|(id, text, image)| (id, text, image.to_owned()))));
        assert_eq!(header.unused, ["likes"]);
        assert!(header.has(Field::Id) && header.has(Field::Image) && !header.has(Field::Label));
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        let numbers = ["1.10", "1.1", "1e5", "100000", "18446744073709551617", "-0"];
        for number in numbers {
            let read = fields(&format!(r#"{{"id": {number}, "text": ""}}"#)).unwrap();
            assert_eq!(read.id, number);
        }
    }

    #[test]
    fn commas_colons_and_brackets_in_texts_part_nothing() {
        let line = r#" { "text" : "a, \"b\": [c}\\" , "id":"x:y" ,"more":{"a":[1,{"b":"]"}]}, "image":[ "a,b.png" ,"c]" ] } "#;
        let read = fields(line).unwrap();
        assert_eq!(
            (read.id.as_str(), read.text.as_str()),
            ("x:y", r#"a, "b": [c}\"#)
        );
        assert_eq!(read.images, ["a,b.png", "c]"]);
    }

    #[test]
    fn texts_that_are_no_unicode_are_faults() {
        let error = fields(r#"{"id": "1", "text": "\ud800"}"#).unwrap_err();
        assert!(
            error.contains("not a record") && error.contains("hex escape"),
            "{error}"
        );
    }
}
