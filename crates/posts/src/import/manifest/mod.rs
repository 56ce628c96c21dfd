//! Posts that someone listed in a file of their own: CSV, TSV, JSON lines or Parquet, one post a row.
//!
//! Columns are found by name, in any order and case: `id`, `text`, `image`, and optionally `label`, `split`, `event` and
//! `ocr_text`. Several pictures of a post are separated by `|`; they lie below the folder of the manifest.

mod delimited;
mod folder;
mod json_lines;
mod parquet;

use std::path::Path;

use super::collector::{Candidate, Collector, Picture, Place};
use super::{Import, MissingImage, Options, Reason};
use crate::{Error, Label, Split};
use folder::Folder;

const EXPECTED: &str =
    "a manifest with the columns id, text, image and optionally label, split, event, ocr_text";
const ENDINGS: &str = "`.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.parquet`";
const LABELS: &str = "known are 1, fake, rumor and 0, real, non-rumor";

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
    Ok(collector.finish("manifest", &super::canonical(file)?))
}

fn read(file: &Path) -> Result<Sheet, Error> {
    let ending = file.extension().map(|ending| ending.to_ascii_lowercase());
    let data = || super::read_file(file, EXPECTED);
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

/// What a manifest says about a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    Id,
    Text,
    Image,
    Label,
    Split,
    Event,
    OcrText,
}

impl Field {
    const ALL: [Self; 7] = [
        Self::Id,
        Self::Text,
        Self::Image,
        Self::Label,
        Self::Split,
        Self::Event,
        Self::OcrText,
    ];

    /// Names of the column, the usual one first; the others are those of `posts.parquet`.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Id => &["id", "post_id"],
            Self::Text => &["text"],
            Self::Image => &["image", "images"],
            Self::Label => &["label"],
            Self::Split => &["split"],
            Self::Event => &["event"],
            Self::OcrText => &["ocr_text"],
        }
    }
}

/// Which column holds which field.
#[derive(Clone, Debug)]
struct Header {
    names: Vec<String>,
    columns: [Option<usize>; Field::ALL.len()],
}

impl Header {
    fn of(names: Vec<String>) -> Self {
        let plain: Vec<String> = names.iter().map(|n| n.trim().to_lowercase()).collect();
        let column = |field: Field| {
            let mut names = field.names().iter();
            names.find_map(|name| plain.iter().position(|found| found == name))
        };
        Self {
            names,
            columns: Field::ALL.map(column),
        }
    }

    fn column(&self, field: Field) -> Option<usize> {
        self.columns[field as usize]
    }

    fn has(&self, field: Field) -> bool {
        self.column(field).is_some()
    }

    /// Columns that stand for nothing here, such as a misspelt one.
    fn unused(&self) -> Vec<String> {
        let unused = (0..self.names.len()).filter(|index| !self.columns.contains(&Some(*index)));
        unused
            .map(|index| format!("`{}`", self.names[index].trim()))
            .collect()
    }
}

/// A manifest as it was read, nothing judged yet.
struct Sheet {
    header: Header,
    rows: Vec<Row>,
    notes: Vec<String>,
}

struct Row {
    line: u64,
    fields: Result<Fields, Fault>,
}

#[derive(Debug, Default, PartialEq)]
struct Fields {
    id: String,
    text: String,
    images: Vec<String>,
    label: String,
    split: String,
    event: String,
    ocr_text: String,
}

/// Why a row is no post.
struct Fault {
    id: Option<String>,
    reason: Reason,
    detail: String,
}

impl Fault {
    fn new(reason: Reason, detail: String) -> Self {
        Self {
            id: None,
            reason,
            detail,
        }
    }

    fn of(self, id: Option<String>) -> Self {
        Self { id, ..self }
    }
}

/// The names in a cell with several pictures.
fn split_images(cell: &str) -> Vec<String> {
    let names = cell.split('|').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What the columns that are there, and those that are not, mean for every row.
struct Rules {
    has_label: bool,
    has_split: bool,
}

impl Rules {
    fn of(
        file: &Path,
        sheet: &Sheet,
        options: &Options,
        collector: &mut Collector,
    ) -> Result<Self, Error> {
        let header = &sheet.header;
        let mut required = vec![Field::Id, Field::Text];
        if options.missing_image == MissingImage::Drop {
            required.push(Field::Image);
        }
        if let Some(missing) = required.into_iter().find(|field| !header.has(*field)) {
            return Err(Error::Column {
                path: file.to_owned(),
                column: missing.names()[0].to_owned(),
                found: format!("only {}", header.names.join(", ")),
                expected: EXPECTED,
            });
        }
        let rules = Self {
            has_label: header.has(Field::Label),
            has_split: header.has(Field::Split),
        };
        let notes = rules.notes(header).into_iter().chain(sheet.notes.clone());
        notes.for_each(|note| collector.note(note));
        Ok(rules)
    }

    fn notes(&self, header: &Header) -> Vec<String> {
        let mut notes = Vec::new();
        let note = match (self.has_label, self.has_split) {
            (false, true) => {
                "no column `label`: all posts are unlabelled, and of split test whatever `split` says"
            }
            (false, false) => "no column `label`: all posts are unlabelled, and of split test",
            (true, false) => "no column `split`: all posts are of split train",
            (true, true) => "",
        };
        notes.extend((!note.is_empty()).then(|| note.to_owned()));
        if !header.has(Field::Image) {
            notes.push("no column `image`: posts without pictures".to_owned());
        }
        let unused = header.unused();
        if !unused.is_empty() {
            notes.push(format!("columns that were not used: {}", unused.join(", ")));
        }
        notes
    }

    fn candidate(&self, fields: Fields, folder: &Folder) -> Result<Candidate, Fault> {
        let split = self.split(&fields)?;
        let label = self.label(&fields, split)?;
        let mut pictures = Vec::with_capacity(fields.images.len());
        for name in fields.images {
            let path = folder.find(&name)?;
            pictures.push(Picture { name, path });
        }
        Ok(Candidate {
            id: fields.id,
            text: fields.text,
            pictures,
            label,
            split,
            event: non_empty(fields.event),
            ocr_text: non_empty(fields.ocr_text),
        })
    }

    fn split(&self, fields: &Fields) -> Result<Split, Fault> {
        match (self.has_label, self.has_split) {
            (false, _) => Ok(Split::Test),
            (true, false) => Ok(Split::Train),
            (true, true) => fields.split.parse().map_err(|_| {
                let detail = format!(
                    "`{}`; known are train, validation and test",
                    fields.split.trim()
                );
                Fault::new(Reason::UnknownSplit, detail)
            }),
        }
    }

    fn label(&self, fields: &Fields, split: Split) -> Result<Option<Label>, Fault> {
        let label = fields.label.trim();
        if !self.has_label || label.is_empty() && split == Split::Test {
            return Ok(None);
        }
        if label.is_empty() {
            let detail = "only posts of split test may be without".to_owned();
            return Err(Fault::new(Reason::NoLabel, detail));
        }
        let unknown = || Fault::new(Reason::UnknownLabel, format!("`{label}`; {LABELS}"));
        parse_label(label).ok_or_else(unknown).map(Some)
    }
}

fn non_empty(text: String) -> Option<String> {
    (!text.trim().is_empty()).then_some(text)
}

/// `1.0` is what pandas makes of a column with gaps. `true` and `false` are refused: datasets disagree on which is which.
fn parse_label(label: &str) -> Option<Label> {
    match label.to_lowercase().as_str() {
        "1" | "1.0" | "fake" | "rumor" | "rumour" => Some(Label::Fake),
        "0" | "0.0" | "real" | "non-rumor" | "non-rumour" | "nonrumor" | "nonrumour" => {
            Some(Label::Real)
        }
        _ => None,
    }
}
