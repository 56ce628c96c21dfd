//! Manifests as Parquet; `posts.parquet` is one too.

use std::mem::take;
use std::path::Path;

use super::fields::{EXPECTED, Field, Fields, Header, split_images};
use super::row::Row;
use crate::Error;
use crate::tables::columns::{Batches, Columns};

/// The columns of the file.
pub(super) fn header(file: &Path) -> Result<Header, Error> {
    let batches = Batches::open(file, EXPECTED)?;
    Ok(Header::of(Columns::of(file, batches.empty).names()))
}

/// Goes through the rows; pictures are a list of strings, or a string with `|` between them. Null is the same as
/// nothing.
pub(super) fn for_each_row(
    file: &Path,
    header: &Header,
    mut visit: impl FnMut(Row),
) -> Result<(), Error> {
    let mut line = 0;
    for batch in Batches::open(file, EXPECTED)? {
        let columns = Columns::of(file, batch?);
        let texts = |field| texts(&columns, header, field);
        let mut ids = texts(Field::Id)?;
        let mut bodies = texts(Field::Text)?;
        let mut images = images(&columns, header)?;
        let mut labels = texts(Field::Label)?;
        let mut splits = texts(Field::Split)?;
        let mut events = texts(Field::Event)?;
        let mut ocr_texts = texts(Field::OcrText)?;
        for row in 0..columns.rows() {
            line += 1;
            let fields = Ok(Fields {
                id: take(&mut ids[row]).trim().to_owned(),
                text: take(&mut bodies[row]),
                images: take(&mut images[row]),
                label: take(&mut labels[row]),
                split: take(&mut splits[row]),
                event: take(&mut events[row]),
                ocr_text: take(&mut ocr_texts[row]),
            });
            visit(Row { line, fields });
        }
    }
    Ok(())
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
