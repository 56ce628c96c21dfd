//! What can go wrong with text recognition, and the remedy. A picture that cannot be read is no error but a reject.

use std::path::PathBuf;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Errors of `mmfnd ocr`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OcrError {
    /// The cache cannot be read or written.
    #[error("cannot read or write `{}`", path.display())]
    Io {
        /// The cache's file, or its folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The system gives no threads.
    #[error("cannot start the worker threads; try fewer with `--threads`")]
    Threads(#[source] rayon::ThreadPoolBuildError),
    /// There is no Tesseract.
    #[error("there is no program `{}`; install it: {install}", program.display())]
    Absent {
        /// What was called.
        program: PathBuf,
        /// The line that installs it with the languages that were asked for.
        install: String,
    },
    /// A name that cannot be a language's.
    #[error(
        "`{0}` names no languages; give Tesseract's names joined by `+`, such as `eng` or `chi_sim+eng`"
    )]
    Name(String),
    /// Tesseract lacks a language.
    #[error("Tesseract has no language `{language}`, only `{found}`; install it: {install}")]
    Language {
        /// What was asked for.
        language: String,
        /// What there is.
        found: String,
        /// The line that installs it.
        install: String,
    },
    /// Tesseract is there and does not work.
    #[error("`{}` is not usable: {problem}; install it anew: {install}", program.display())]
    Unusable {
        /// What was called.
        program: PathBuf,
        /// What it says.
        problem: String,
        /// The line that installs it.
        install: String,
        /// The cause, if the system gave one.
        #[source]
        source: Option<Source>,
    },
    /// Another process writes to the cache.
    #[error(
        "another `mmfnd ocr` is using the cache `{}`; wait until it ends, or name another one with `--cache`", _0.display()
    )]
    Locked(PathBuf),
    /// The cache is not what was written.
    #[error(
        "line {line} of the cache `{}` is damaged, or the file is something else: name another with `--cache`, or delete the file, and pictures will be read again", path.display()
    )]
    Damaged {
        /// The cache.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: Source,
    },
}

impl OcrError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
