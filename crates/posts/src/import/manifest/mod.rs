//! Posts that someone listed in a file of their own: CSV, TSV, JSON lines or Parquet, one post a row. The file comes
//! in, posts and rejects go out.
//!
//! Columns are found by name, in any order and case: `id`, `text`, `image`, and optionally `label`, `split`, `event`
//! and
//! `ocr_text`. Several pictures of a post are separated by `|`; they lie below the folder of the manifest.

mod delimited;
mod fields;
mod folder;
mod json_lines;
mod parquet;
mod row;
mod rules;

use std::path::Path;

use self::delimited::Separator;
use self::fields::Header;
use self::folder::Folder;
use self::row::Row;
use self::rules::Rules;
use super::collector::{Collector, Place};
use super::source_file::canonical;
use super::{Import, Options};
use crate::Error;

const ENDINGS: &str = "`.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.parquet`";

/// Reads a manifest in the format that its ending names, a row at a time.
pub fn manifest(file: &Path, options: &Options) -> Result<Import, Error> {
    let format = Format::of(file)?;
    let header = format.header(file)?;
    let mut collector = Collector::new(options);
    let rules = Rules::of(file, &header, options, &mut collector)?;
    let folder = Folder::of(file, options.allow_outside)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let notes = format.for_each_row(file, &header, |row| {
        collector.row();
        let at = Place {
            file: &name,
            line: row.line,
        };
        let taken = row.fields.and_then(|fields| {
            let id = Some(fields.id.clone());
            rules.candidate(fields, &folder).map_err(|f| f.of(id))
        });
        match taken {
            Ok(candidate) => collector.offer(at, candidate),
            Err(fault) => collector.reject(at, fault.id.as_deref(), fault.reason, fault.detail),
        }
    })?;
    notes.into_iter().for_each(|note| collector.note(note));
    Ok(collector.finish("manifest", &canonical(file)?))
}

enum Format {
    Delimited(Separator),
    JsonLines,
    Parquet,
}

impl Format {
    fn of(file: &Path) -> Result<Self, Error> {
        let ending = file.extension().map(|ending| ending.to_ascii_lowercase());
        match ending.as_ref().and_then(|ending| ending.to_str()) {
            Some("csv") => Ok(Self::Delimited(Separator::Comma)),
            Some("tsv") => Ok(Self::Delimited(Separator::Tab)),
            Some("jsonl" | "ndjson") => Ok(Self::JsonLines),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(Error::Format {
                path: file.to_owned(),
                expected: ENDINGS,
            }),
        }
    }

    fn header(&self, file: &Path) -> Result<Header, Error> {
        match self {
            Self::Delimited(separator) => delimited::header(file, *separator),
            Self::JsonLines => json_lines::header(file),
            Self::Parquet => parquet::header(file),
        }
    }

    /// Goes through the rows; returns what the user should know about them.
    fn for_each_row(
        &self,
        file: &Path,
        header: &Header,
        visit: impl FnMut(Row),
    ) -> Result<Vec<String>, Error> {
        match self {
            Self::Delimited(separator) => delimited::for_each_row(file, *separator, header, visit),
            Self::JsonLines => json_lines::for_each_row(file, header, visit).map(|()| Vec::new()),
            Self::Parquet => parquet::for_each_row(file, header, visit).map(|()| Vec::new()),
        }
    }
}
