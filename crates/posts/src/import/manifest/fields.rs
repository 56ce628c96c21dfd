//! Columns of a manifest, found by name, and what stands in them in one row.

pub(super) const EXPECTED: &str =
    "a manifest with the columns id, text, image and optionally label, split, event, ocr_text";

/// What a manifest says about a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Id,
    Text,
    Image,
    Label,
    Split,
    Event,
    OcrText,
}

impl Field {
    pub(super) const ALL: [Self; 7] = [
        Self::Id,
        Self::Text,
        Self::Image,
        Self::Label,
        Self::Split,
        Self::Event,
        Self::OcrText,
    ];

    /// Names of the column, the usual one first; the others are those of `posts.parquet`.
    pub(super) fn names(self) -> &'static [&'static str] {
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
pub(super) struct Header {
    pub(super) names: Vec<String>,
    columns: [Option<usize>; Field::ALL.len()],
}

impl Header {
    pub(super) fn of(names: Vec<String>) -> Self {
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

    pub(super) fn column(&self, field: Field) -> Option<usize> {
        self.columns[field as usize]
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.column(field).is_some()
    }

    /// Columns that stand for nothing here, such as a misspelt one.
    pub(super) fn unused(&self) -> Vec<String> {
        let unused = (0..self.names.len()).filter(|index| !self.columns.contains(&Some(*index)));
        unused
            .map(|index| format!("`{}`", self.names[index].trim()))
            .collect()
    }
}

/// What stands in a row.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fields {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) images: Vec<String>,
    pub(super) label: String,
    pub(super) split: String,
    pub(super) event: String,
    pub(super) ocr_text: String,
}

/// The names in a cell with several pictures.
pub(super) fn split_images(cell: &str) -> Vec<String> {
    let names = cell.split('|').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
