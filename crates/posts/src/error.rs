//! What can go wrong with files of posts; each message names the culprit and the remedy.

use std::io;
use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder that exists cannot be read.
    #[error("cannot read `{path}`; check that it may be read by you")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or folder cannot be written.
    #[error(
        "cannot write `{path}`; check that its folder exists, may be written by you and has room"
    )]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or folder is not where it is expected.
    #[error("there is no `{path}`; expected {expected}")]
    Missing {
        /// What was looked for.
        path: PathBuf,
        /// What should be there, or how to make it.
        expected: String,
    },
    /// A file that is empty, or in another encoding than UTF-8.
    #[error("`{path}` {found}; expected {expected}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// A file that is not Parquet, or damaged.
    #[error("`{path}` cannot be read as Parquet; make it anew, or take it from its source again")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A column that is missing or of a wrong type.
    #[error("column `{column}` of `{path}`: found {found}, expected {expected}")]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What stands there: a type, or `nothing`.
        found: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// A value that its column does not allow.
    #[error("row {row} of `{path}`: `{value}` in column `{column}`; use {expected}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The row, counted from 1.
        row: usize,
        /// The column.
        column: &'static str,
        /// What stands there.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A file name whose ending is no known format.
    #[error("`{path}` has no known ending; use {expected}")]
    Format {
        /// The file.
        path: PathBuf,
        /// The endings that are known.
        expected: &'static str,
    },
}
