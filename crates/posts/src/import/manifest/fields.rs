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

    /// How well a name fits, less being better; `None` for a name of something else. Case and white space around it do
    /// not matter, but of two names the one without goes first.
    pub(super) fn rank(self, name: &str) -> Option<(usize, bool)> {
        let plain = name.trim().to_lowercase();
        let at = self.names().iter().position(|known| *known == plain)?;
        Some((at, plain != name))
    }
}

/// Which column holds which field.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) names: Vec<String>,
    columns: [Option<usize>; Field::ALL.len()],
    /// Columns that stand for nothing here, such as a misspelt one.
    pub(super) unused: Vec<String>,
}

impl Header {
    /// Of a file all of whose rows have the same columns; of several names of a field the usual one is taken.
    pub(super) fn of(names: Vec<String>) -> Self {
        let columns = Field::ALL.map(|field| {
            let fitting = (0..names.len()).filter_map(|at| Some((field.rank(&names[at])?, at)));
            fitting.min().map(|(_, at)| at)
        });
        let is_unused = |at: &usize| !columns.contains(&Some(*at));
        let unused = (0..names.len()).filter(is_unused);
        Self {
            unused: unused.map(|at| names[at].trim().to_owned()).collect(),
            columns,
            names,
        }
    }

    /// Of a file each of whose rows names its fields itself, and each as it likes.
    pub(super) fn of_rows(names: Vec<String>) -> Self {
        let is_unused = |name: &&String| Field::ALL.iter().all(|field| field.rank(name).is_none());
        Self {
            unused: names.iter().filter(is_unused).cloned().collect(),
            ..Self::of(names)
        }
    }

    pub(super) fn column(&self, field: Field) -> Option<usize> {
        self.columns[field as usize]
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.column(field).is_some()
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
