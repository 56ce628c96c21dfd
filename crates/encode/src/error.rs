//! What can go wrong in stage 1, and the remedy.

use std::path::PathBuf;

/// The source of an error that another library made.
pub(crate) type Source = Box<dyn std::error::Error + Send + Sync>;

/// Errors of stage 1. A picture that cannot be used is no error but a reject, see [`mmfnd_pictures::Refusal`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error("cannot read or write `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A preset cannot be found, or it says something impossible.
    #[error("preset `{preset}` cannot be used")]
    Preset {
        /// Its name or file.
        preset: String,
        /// What is wrong with it.
        #[source]
        source: Source,
    },
    /// A model, tokenizer or classifier is missing or is not the one that the preset means.
    #[error("`{}` {problem}; {remedy}", path.display())]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// Missing or changed.
        problem: String,
        /// How to get the right one.
        remedy: String,
    },
    /// ONNX Runtime or the tokenizer library does not take a model's file.
    #[error("encoder `{encoder}` cannot use `{}`", path.display())]
    Model {
        /// Name of the encoder.
        encoder: String,
        /// The model's or the tokenizer's file.
        path: PathBuf,
        /// What the library says.
        #[source]
        source: Source,
    },
    /// An encoder failed on a batch, or gave values that the store must not hold.
    #[error("encoder `{encoder}` on {content}: {problem}")]
    Output {
        /// Name of the encoder.
        encoder: String,
        /// The content that it was given.
        content: String,
        /// Shape, dtype or value that is wrong, or what the runtime says.
        problem: String,
    },
    /// ONNX Runtime cannot be found, fetched or loaded.
    #[error("no usable ONNX Runtime: {problem}; set `ORT_DYLIB_PATH` to a libonnxruntime of version 1.{minimum} or newer, or install it with `python3 -m pip install onnxruntime=={pinned}`",
        minimum = ort::MINOR_VERSION, pinned = crate::versions::ONNX_RUNTIME)]
    Runtime {
        /// What was tried and how it failed.
        problem: String,
        /// The cause, if a library gave one.
        #[source]
        source: Option<Source>,
    },
    /// The device that was asked for cannot be used; there is no silent fall to another one.
    #[error(
        "device `{device}` cannot be used (`mmfnd doctor --install cuda` fetches ONNX Runtime for it and says what else it needs; `--device cpu` does without)"
    )]
    Device {
        /// What was asked for.
        device: String,
        /// Why the provider did not load.
        #[source]
        source: Source,
    },
    /// Bfloat16 was asked for where it cannot be had; there is no silent fall to another precision.
    #[error("precision `bf16` cannot be used: {problem}")]
    Bfloat16 {
        /// Why, and what can be used instead.
        problem: &'static str,
    },
    /// `--replace`, `--only` or `--with-tokens` asks for what is not there.
    #[error("no encoder `{name}` in the preset; it has `{known}`")]
    UnknownEncoder {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The system gives no threads.
    #[error("cannot start the worker threads; try fewer with `--threads`")]
    Threads(#[source] Source),
    /// A thread of ours panicked.
    #[error(
        "{what} failed by a fault of this program ({message}); please report it; what was finished before is in the store"
    )]
    Fault {
        /// What was being done.
        what: String,
        /// The panic's message.
        message: String,
    },
    /// The posts cannot be read.
    #[error(transparent)]
    Posts(#[from] mmfnd_posts::Error),
    /// The file of posts is not what it was when the run began.
    #[error("post `{post}` changed in its file while the posts were being encoded; run it again")]
    PostsChanged {
        /// The post's id.
        post: String,
    },
    /// Something is missing in a store that may not be written.
    #[error(
        "the store `{}` lacks {lacks}, and it may not be written; use another `--store`, or encode where it may be written", store.display()
    )]
    ReadOnly {
        /// The store.
        store: PathBuf,
        /// What the posts need and the store has not.
        lacks: String,
        /// How writing it fails.
        #[source]
        source: Box<mmfnd_features::Error>,
    },
    /// A store's features come from pictures or texts that another version of this program prepared.
    #[error(
        "the store `{}` holds `{encoder}` of pictures or texts that an earlier `mmfnd` prepared in another way (revision {stored}, this one has {ours}), so new features would not go together with them; use another `--store`, or `--replace {encoder}` to encode all of them again", store.display()
    )]
    OtherRevision {
        /// The store.
        store: PathBuf,
        /// The encoder.
        encoder: String,
        /// The revision of its preprocessing.
        stored: u32,
        /// This program's.
        ours: u32,
    },
    /// The feature store refused.
    #[error(transparent)]
    Store(#[from] mmfnd_features::Error),
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
