//! What can go wrong with a feature store; each message names the culprit and the remedy.

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read or written.
    #[error(transparent)]
    File(#[from] mmfnd_posts::Error),
    /// A folder that is no store.
    #[error(
        "`{path}` is no feature store: {why}; name the folder that `mmfnd encode --store` wrote, or a new one to encode into"
    )]
    NotAStore {
        /// The folder.
        path: PathBuf,
        /// What is missing or in the way.
        why: String,
    },
    /// A store of a newer program.
    #[error("`{path}` has format {found}, this program knows up to {known}; use a newer `mmfnd`")]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// A store of an older program.
    #[error(
        "`{path}` has format {found}, this program reads none older than {known}; use the `mmfnd` that wrote it, or encode into a new store"
    )]
    OlderFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The oldest format that is read.
        known: u32,
    },
    /// Another process writes to the store.
    #[error(
        "another `mmfnd` is writing to the store `{store}`; wait until it ends, or use another `--store`"
    )]
    Locked {
        /// The store.
        store: PathBuf,
    },
    /// Another encoder's features stand under this name.
    #[error(
        "the store `{store}` holds `{name}` of another encoder: {stored}; asked for: {offered}; \
         use another `--store`, or `--replace {name}` to drop the stored features"
    )]
    OtherEncoder {
        /// The store.
        store: PathBuf,
        /// Name of both.
        name: String,
        /// What the store holds.
        stored: String,
        /// What was asked for.
        offered: String,
    },
    /// A store that cannot be used for what was asked: a shard, or one that does not go together with others.
    #[error("the store `{store}` {problem}")]
    Unfit {
        /// The store.
        store: PathBuf,
        /// Why not, and what to do.
        problem: String,
    },
    /// An encoder that cannot be stored.
    #[error("encoder `{name}`: {problem}")]
    Encoder {
        /// Its name.
        name: String,
        /// What is wrong, and what to do.
        problem: &'static str,
    },
    /// A file of the store is not what was written.
    #[error("`{path}` is damaged: {problem}; {remedy}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// No such encoder in the store.
    #[error(
        "no features of encoder `{name}` in the store `{store}` ({found}); add them with {remedy}",
        remedy = how_to_add(name, store.display())
    )]
    NoEncoder {
        /// The store.
        store: PathBuf,
        /// What was asked for.
        name: String,
        /// What there is.
        found: String,
    },
    /// A post without features.
    #[error(
        "post `{post}` {why} the store `{store}`; encode it with `mmfnd encode --posts … --preset … --store {store}`"
    )]
    NotEncoded {
        /// The store.
        store: PathBuf,
        /// The post's id.
        post: String,
        /// What is missing, ending in a preposition.
        why: String,
    },
    /// A value that cannot be stored or used.
    #[error("{}encoder `{encoder}`, key {key}, value {index}: {value} {problem}", of_post(post.as_ref()))]
    Value {
        /// A post that it belongs to, where one is known.
        post: Option<PostRow>,
        /// The encoder.
        encoder: String,
        /// The row's key.
        key: crate::Key,
        /// Position in the row.
        index: usize,
        /// The value.
        value: f32,
        /// Why not, and what to do.
        problem: String,
    },
}

/// A post, and where it stands in the file of posts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostRow {
    /// Its id.
    pub id: String,
    /// Its row, counted from 1.
    pub row: usize,
}

/// The command that adds features of an encoder to a store.
pub fn how_to_add(encoder: &str, store: impl Display) -> String {
    let command = format!("mmfnd encode --posts … --preset … --store {store}");
    match encoder {
        "tokens" => format!("`{command} --with-tokens`"),
        "resnet_map" => format!("`{command} --with-maps`"),
        "vgg" | "ela" => format!(
            "`{command}` and a preset that has it, as `python3 models/export.py PRESET --faithful` makes them"
        ),
        _ => format!("`{command}`"),
    }
}

fn of_post(post: Option<&PostRow>) -> String {
    let named = |post: &PostRow| format!("post `{}` (row {} of the posts): ", post.id, post.row);
    post.map(named).unwrap_or_default()
}

impl Error {
    /// With the post that a value belongs to; `index` is its place among the posts, from 0.
    pub fn of_post(mut self, index: usize, id: &str) -> Self {
        if let Self::Value { post, .. } = &mut self {
            let (id, row) = (id.to_owned(), index + 1);
            *post = Some(PostRow { id, row });
        }
        self
    }

    /// Whether it says that a file may not be written here, as on a read-only disk.
    pub fn is_write_refused(&self) -> bool {
        let Self::File(mmfnd_posts::Error::Write { source, .. }) = self else {
            return false;
        };
        matches!(
            source.kind(),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
        )
    }

    pub(crate) fn unfit(store: &Path, problem: impl Into<String>) -> Self {
        Self::Unfit {
            store: store.to_owned(),
            problem: problem.into(),
        }
    }

    pub(crate) fn read(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File(mmfnd_posts::Error::Read {
            path: path.into(),
            source,
        })
    }

    pub(crate) fn write(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File(mmfnd_posts::Error::Write {
            path: path.into(),
            source,
        })
    }
}
