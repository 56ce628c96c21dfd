//! Small tables of results in the format that the file's ending names.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeListArray, Float32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Schema};

use super::record_batch::write_batch;
use crate::{Error, atomic};

const ENDINGS: &str = "`.parquet`, `.csv` or `.jsonl`";

/// One column of a table, a value per row.
#[derive(Clone, Debug, PartialEq)]
pub enum TableColumn {
    /// Strings.
    Text(Vec<Option<String>>),
    /// Whole numbers.
    Int(Vec<Option<i64>>),
    /// Numbers; NaN and infinities become null in JSON lines.
    Float(Vec<Option<f32>>),
    /// Vectors of one length.
    Vector(usize, Vec<Option<Vec<f32>>>),
}

impl TableColumn {
    fn rows(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Vector(_, values) => values.len(),
        }
    }

    fn to_array(&self) -> ArrayRef {
        match self {
            Self::Text(values) => {
                Arc::new(values.iter().map(Option::as_deref).collect::<StringArray>())
            }
            Self::Int(values) => Arc::new(Int64Array::from(values.clone())),
            Self::Float(values) => Arc::new(Float32Array::from(values.clone())),
            Self::Vector(length, values) => Arc::new(vectors(*length, values)),
        }
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Text(_) => DataType::Utf8,
            Self::Int(_) => DataType::Int64,
            Self::Float(_) => DataType::Float32,
            Self::Vector(length, _) => vector(*length),
        }
    }

    /// The value as CSV shows it; null is empty.
    fn to_text(&self, row: usize) -> String {
        match self {
            Self::Text(values) => values[row].clone(),
            Self::Int(values) => values[row].map(|value| value.to_string()),
            Self::Float(values) => values[row].map(|value| value.to_string()),
            Self::Vector(_, values) => values[row].as_ref().map(|values| {
                let values = values.iter().map(f32::to_string);
                values.collect::<Vec<_>>().join(" ")
            }),
        }
        .unwrap_or_default()
    }

    fn write_json(&self, row: usize, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Text(values) => serde_json::to_writer(out, &values[row])?,
            Self::Int(values) => serde_json::to_writer(out, &values[row])?,
            Self::Float(values) => serde_json::to_writer(out, &values[row])?,
            Self::Vector(_, values) => serde_json::to_writer(out, &values[row])?,
        }
        Ok(())
    }
}

fn vector(length: usize) -> DataType {
    let length = i32::try_from(length).expect("a vector of the program is short");
    DataType::new_fixed_size_list(DataType::Float32, length, false)
}

/// # Panics
/// When a vector has another length.
fn vectors(length: usize, values: &[Option<Vec<f32>>]) -> FixedSizeListArray {
    let DataType::FixedSizeList(item, size) = vector(length) else {
        unreachable!("the type of a vector is a list")
    };
    let zeros = vec![0.0; length];
    let rows = values.iter().flat_map(|row| {
        let row = row.as_ref().unwrap_or(&zeros);
        assert_eq!(row.len(), length, "a vector has another length");
        row.iter().copied()
    });
    let floats = Arc::new(Float32Array::from_iter_values(rows));
    let present: NullBuffer = values.iter().map(Option::is_some).collect();
    FixedSizeListArray::try_new(item, size, floats, Some(present)).expect("the lengths fit")
}

/// Whether [`write_table`] knows the ending of `path`; asked before the long part of a job.
pub fn check_table_path(path: &Path) -> Result<(), Error> {
    Format::of(path).map(|_| ())
}

/// Writes a table, whole or not at all; `.parquet`, `.csv` or `.jsonl` by the ending of `path`.
///
/// # Panics
/// When the columns differ in length.
pub fn write_table(path: &Path, columns: &[(&str, TableColumn)]) -> Result<(), Error> {
    let rows = columns.first().map_or(0, |(_, column)| column.rows());
    for (name, column) in columns {
        assert_eq!(column.rows(), rows, "column `{name}` has another length");
    }
    match Format::of(path)? {
        Format::Parquet => write_batch(path, &to_batch(columns)),
        Format::Csv => atomic::write(path, |out| write_csv(out, columns, rows)),
        Format::JsonLines => atomic::write(path, |out| write_json_lines(out, columns, rows)),
    }
}

enum Format {
    Parquet,
    Csv,
    JsonLines,
}

impl Format {
    fn of(path: &Path) -> Result<Self, Error> {
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        match ending.as_ref().and_then(|ending| ending.to_str()) {
            Some("parquet") => Ok(Self::Parquet),
            Some("csv") => Ok(Self::Csv),
            Some("jsonl") => Ok(Self::JsonLines),
            _ => Err(Error::Format {
                path: path.to_owned(),
                expected: ENDINGS,
            }),
        }
    }
}

fn to_batch(columns: &[(&str, TableColumn)]) -> RecordBatch {
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type(), true))
        .collect();
    let arrays = columns
        .iter()
        .map(|(_, column)| column.to_array())
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .expect("the schema is made from the columns")
}

fn write_csv(out: &mut impl Write, columns: &[(&str, TableColumn)], rows: usize) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(columns.iter().map(|(name, _)| name))?;
    for row in 0..rows {
        csv.write_record(columns.iter().map(|(_, column)| column.to_text(row)))?;
    }
    csv.flush()
}

fn write_json_lines(
    out: &mut impl Write,
    columns: &[(&str, TableColumn)],
    rows: usize,
) -> io::Result<()> {
    for row in 0..rows {
        for (index, (name, column)) in columns.iter().enumerate() {
            out.write_all(if index == 0 { b"{" } else { b"," })?;
            serde_json::to_writer(&mut *out, name)?;
            out.write_all(b":")?;
            column.write_json(row, out)?;
        }
        out.write_all(b"}\n")?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::tables::columns::Columns;

    fn columns() -> Vec<(&'static str, TableColumn)> {
        let text = vec![Some("a,\"b\"\n".to_owned()), None];
        vec![
            ("post_id", TableColumn::Text(text)),
            ("label", TableColumn::Int(vec![Some(1), None])),
            (
                "p_fake",
                TableColumn::Float(vec![Some(0.1), Some(f32::NAN)]),
            ),
            (
                "aggregate",
                TableColumn::Vector(2, vec![Some(vec![0.5, -1.0]), None]),
            ),
        ]
    }

    fn written(name: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        write_table(&path, &columns()).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let expected = "post_id,label,p_fake,aggregate\n\"a,\"\"b\"\"\n\",1,0.1,0.5 -1\n,,NaN,\n";
        assert_eq!(written("a.csv"), expected);
    }

    #[test]
    fn json_lines_have_an_object_per_row() {
        let expected = concat!(
            r#"{"post_id":"a,\"b\"\n","label":1,"p_fake":0.1,"aggregate":[0.5,-1.0]}"#,
            "\n",
            r#"{"post_id":null,"label":null,"p_fake":null,"aggregate":null}"#,
            "\n"
        );
        assert_eq!(written("a.JSONL"), expected);
    }

    #[test]
    fn parquet_keeps_types_and_nulls() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        write_table(&path, &columns()).unwrap();
        let read = Columns::read(&path, "").unwrap();
        assert_eq!(read.integers("label").unwrap(), [Some(1), None]);
        assert_eq!(read.strings("post_id", false).unwrap()[1], None);
        assert_eq!(read.floats("p_fake").unwrap()[0], Some(0.1));
        assert_eq!(
            read.vectors("aggregate").unwrap(),
            [Some(vec![0.5, -1.0]), None]
        );
        let error = read.vectors("label").unwrap_err().to_string();
        assert!(error.contains("list<float>"), "{error}");
        let error = read.floats("post_id").unwrap_err().to_string();
        assert!(
            error.contains("post_id") && error.contains("float"),
            "{error}"
        );
    }

    #[test]
    fn another_ending_is_an_error_that_names_the_three() {
        let error = check_table_path(Path::new("a.xlsx"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("a.xlsx"), "{error}");
        assert!(error.contains(ENDINGS), "{error}");
    }
}
