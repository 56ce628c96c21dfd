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
mod rules;
mod sheet;

use std::path::Path;

use self::fields::EXPECTED;
use self::folder::Folder;
use self::rules::Rules;
use self::sheet::Sheet;
use super::collector::{Collector, Place};
use super::source_file::{canonical, read_file};
use super::{Import, Options};
use crate::Error;

const ENDINGS: &str = "`.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.parquet`";

/// Reads a manifest in the format that its ending names.
pub fn manifest(file: &Path, options: &Options) -> Result<Import, Error> {
    let sheet = read(file)?;
    let mut collector = Collector::new(options);
    let rules = Rules::of(file, &sheet, options, &mut collector)?;
    let folder = Folder::of(file, options.allow_outside)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    for row in sheet.rows {
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
    }
    Ok(collector.finish("manifest", &canonical(file)?))
}

fn read(file: &Path) -> Result<Sheet, Error> {
    let ending = file.extension().map(|ending| ending.to_ascii_lowercase());
    let data = || read_file(file, EXPECTED);
    match ending.as_ref().and_then(|ending| ending.to_str()) {
        Some("csv") => delimited::csv(file, &data()?),
        Some("tsv") => delimited::tsv(file, &data()?),
        Some("jsonl" | "ndjson") => json_lines::read(file, &data()?),
        Some("parquet") => parquet::read(file),
        _ => Err(Error::Format {
            path: file.to_owned(),
            expected: ENDINGS,
        }),
    }
}
