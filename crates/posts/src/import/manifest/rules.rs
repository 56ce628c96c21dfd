//! From the fields of a row to a candidate: which labels and splits are known, and what a column that is missing means.

use std::path::Path;

use super::fields::{EXPECTED, Field, Fields, Header};
use super::folder::Folder;
use super::row::Fault;
use crate::import::collector::{Candidate, Collector, Picture};
use crate::import::{MissingImage, Options, Reason};
use crate::{Error, Label, Split};

const LABELS: &str = "known are 1, fake, rumor and 0, real, non-rumor";

/// What the columns that are there, and those that are not, mean for every row.
pub(super) struct Rules {
    has_label: bool,
    has_split: bool,
}

impl Rules {
    pub(super) fn of(
        file: &Path,
        header: &Header,
        options: &Options,
        collector: &mut Collector,
    ) -> Result<Self, Error> {
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
        let notes = rules.notes(header).into_iter();
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
        if !header.unused.is_empty() {
            let unused: Vec<_> = header.unused.iter().map(|n| format!("`{n}`")).collect();
            notes.push(format!("columns that were not used: {}", unused.join(", ")));
        }
        notes
    }

    pub(super) fn candidate(&self, fields: Fields, folder: &Folder) -> Result<Candidate, Fault> {
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

/// Numbers count whichever way they are written: `1.0` is what pandas makes of a column with gaps. `true` and `false`
/// are refused: datasets disagree on which is which.
fn parse_label(label: &str) -> Option<Label> {
    match label.to_lowercase().as_str() {
        "fake" | "rumor" | "rumour" => Some(Label::Fake),
        "real" | "non-rumor" | "non-rumour" | "nonrumor" | "nonrumour" => Some(Label::Real),
        number => match number.parse::<f64>() {
            Ok(1.0) => Some(Label::Fake),
            Ok(0.0) => Some(Label::Real),
            _ => None,
        },
    }
}
