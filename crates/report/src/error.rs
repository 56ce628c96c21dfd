//! What keeps a report from being written; what is wrong with single runs stands on the page instead.

use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] mmfnd_posts::Error),
    /// A folder that was named cannot be listed.
    #[error("cannot read the folder `{path}`; name a folder with runs")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing to report on.
    #[error("no finished run in {places}; train one (`mmfnd train`, `mmfnd sweep`){left_out}")]
    NoRuns {
        /// The folders, in back-ticks.
        places: String,
        /// What was found and cannot be used, or nothing.
        left_out: String,
    },
    /// A figure cannot be made a picture.
    #[error("figure `{id}` cannot be made a PNG: {problem}")]
    Picture {
        /// The figure.
        id: String,
        /// Why, and what to do.
        problem: String,
    },
}
