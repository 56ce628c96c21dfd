//! Manifests as Parquet; `posts.parquet` is one too.

use std::path::Path;

use super::fields::{EXPECTED, Field, Fields, Header, split_images};
use super::sheet::{Row, Sheet};
use crate::Error;
use crate::tables::columns::Columns;

/// Reads Parquet; pictures are a list of strings, or a string with `|` between them. Null is the same as nothing.
pub(super) fn read(file: &Path) -> Result<Sheet, Error> {
    let columns = Columns::read(file, EXPECTED)?;
    let header = Header::of(columns.names());
    let texts = |field| texts(&columns, &header, field);
    let mut ids = texts(Field::Id)?;
    let mut bodies = texts(Field::Text)?;
    let mut images = images(&columns, &header)?;
    let mut labels = texts(Field::Label)?;
    let mut splits = texts(Field::Split)?;
    let mut events = texts(Field::Event)?;
    let mut ocr_texts = texts(Field::OcrText)?;
    let row = |index: usize| Row {
        line: index as u64 + 1,
        fields: Ok(Fields {
            id: std::mem::take(&mut ids[index]).trim().to_owned(),
            text: std::mem::take(&mut bodies[index]),
            images: std::mem::take(&mut images[index]),
            label: std::mem::take(&mut labels[index]),
            split: std::mem::take(&mut splits[index]),
            event: std::mem::take(&mut events[index]),
            ocr_text: std::mem::take(&mut ocr_texts[index]),
        }),
    };
    Ok(Sheet {
        rows: (0..columns.rows()).map(row).collect(),
        header,
        notes: Vec::new(),
    })
}

fn texts(columns: &Columns, header: &Header, field: Field) -> Result<Vec<String>, Error> {
    let Some(column) = header.column(field) else {
        return Ok(vec![String::new(); columns.rows()]);
    };
    let values = columns.strings(&header.names[column], true)?;
    Ok(values.into_iter().map(Option::unwrap_or_default).collect())
}

fn images(columns: &Columns, header: &Header) -> Result<Vec<Vec<String>>, Error> {
    let name = header
        .column(Field::Image)
        .map(|column| &header.names[column]);
    match name {
        Some(name) if columns.is_list(name) => {
            let lists = columns.string_lists(name)?.into_iter();
            Ok(lists
                .map(|list| list.into_iter().flatten().collect())
                .collect())
        }
        _ => {
            let cells = texts(columns, header, Field::Image)?;
            Ok(cells.iter().map(|cell| split_images(cell)).collect())
        }
    }
}
