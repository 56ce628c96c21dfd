//! Rows that became no post, and why.

use std::fmt;

use serde::{Serialize, Serializer};

/// A row that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The file, relative to the folder that was imported.
    pub file: String,
    /// Line of its beginning, counted from 1; for Parquet the row.
    pub line: u64,
    /// The post's id, where it could be read.
    pub post_id: Option<String>,
    /// Why.
    pub reason: Reason,
    /// What exactly stood there.
    pub detail: String,
}

/// Why a row was not taken; the words stand in `rejects.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// None of the post's pictures exists.
    NoPicture,
    /// A text of more than 16 MiB: no post has one, and tables of such texts could not be read again.
    TextTooLong,
    /// Neither a text nor a picture: nothing to judge by.
    NoTextNoPicture,
    /// Fewer fields than the header has.
    TooFewFields,
    /// More fields than the header has.
    TooManyFields,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// An earlier row has this id.
    DuplicateId,
    /// The id is empty.
    NoId,
    /// The label is none of the known ones.
    UnknownLabel,
    /// A row to be trained on without a label.
    NoLabel,
    /// The split is none of the known ones.
    UnknownSplit,
    /// A `humor` post of MediaEval 2015.
    Humor,
    /// A Weibo record that lacks lines.
    CutShort,
    /// Lines that are no beginning of a Weibo record, or no JSON object.
    NotARecord,
    /// A picture outside the manifest's folder.
    OutsidePath,
}

impl Reason {
    /// The words for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoPicture => "no picture",
            Self::TextTooLong => "text too long",
            Self::NoTextNoPicture => "neither text nor picture",
            Self::TooFewFields => "too few fields",
            Self::TooManyFields => "too many fields",
            Self::NotUtf8 => "not UTF-8",
            Self::DuplicateId => "duplicate id",
            Self::NoId => "no id",
            Self::UnknownLabel => "unknown label",
            Self::NoLabel => "no label",
            Self::UnknownSplit => "unknown split",
            Self::Humor => "humor",
            Self::CutShort => "record cut short",
            Self::NotARecord => "not a record",
            Self::OutsidePath => "path leaves the folder",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
