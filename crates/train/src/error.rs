//! What can go wrong while training and predicting; each message names the culprit and the remedy.

use std::path::PathBuf;

use mmfnd_features::how_to_add;
use mmfnd_posts::Split;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] mmfnd_posts::Error),
    /// Features that stay in the store cannot be read.
    #[error(transparent)]
    Features(#[from] mmfnd_features::Error),
    /// A configuration that cannot be used.
    #[error("{place}: {problem}")]
    Config {
        /// The file or option.
        place: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A device that is not there.
    #[error("device `{name}` {problem}")]
    Device {
        /// What was asked for.
        name: &'static str,
        /// What is missing, and what to do.
        problem: String,
    },
    /// Posts or features that cannot be trained on.
    #[error(transparent)]
    Data(#[from] DataProblem),
    /// A picture that a ResNet is trained from.
    #[error(
        "the picture of post `{post}`, `{path}`, cannot be used any more; encode the posts again, which lists it"
    )]
    Picture {
        /// The post's id.
        post: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: mmfnd_pictures::Refusal,
    },
    /// A run directory that cannot be written to or read.
    #[error("`{path}` {problem}")]
    Run {
        /// The directory or the file in it.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file of weights that does not fit.
    #[error("`{path}`: {problem}")]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: WeightsProblem,
    },
    /// The loss is no number.
    #[error(
        "the loss became {loss} in epoch {epoch}, step {step}; the last checkpoint is kept; try a smaller `train.learning_rate` in a new run"
    )]
    Diverged {
        /// From 1.
        epoch: usize,
        /// Of the epoch, from 1.
        step: usize,
        /// What it became.
        loss: f32,
    },
}

/// What is wrong with posts or features.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataProblem {
    /// No post can be used.
    #[error(
        "split `{split}` has no post that can be used ({left_out} left out); `mmfnd import` says which posts there are"
    )]
    Empty {
        /// The split.
        split: Split,
        /// Posts of it that lack a picture or a label.
        left_out: usize,
    },
    /// Nothing to tell apart.
    #[error(
        "all {posts} posts of split `{split}` are {label}: both classes are needed; add posts of the other one, or change their column `split`"
    )]
    OneClass {
        /// The split.
        split: Split,
        /// Its posts.
        posts: usize,
        /// Their label.
        label: mmfnd_posts::Label,
    },
    /// Only one group of posts that belong together.
    #[error(
        "no validation split can be made: {why}; give the posts a split `validation`, or set `train.select = \"test\"`"
    )]
    NoValidation {
        /// What is in the way.
        why: String,
    },
    /// A column that the head needs.
    #[error(
        "no features of encoder `{name}`; add them with {}",
        how_to_add(name, "…")
    )]
    NoEncoder {
        /// The encoder.
        name: &'static str,
    },
    /// A column of another shape than expected.
    #[error("features of encoder `{name}` have shape {shape:?}; the head needs {expected}")]
    Shape {
        /// The encoder.
        name: &'static str,
        /// Shape of a row.
        shape: Vec<usize>,
        /// What would do.
        expected: &'static str,
    },
    /// A store of other encoders than the run's.
    #[error(
        "the run was trained on `{name}` {trained}, the store has {found}; encode the posts with the run's preset `{preset}`"
    )]
    OtherEncoder {
        /// The encoder.
        name: String,
        /// What the run was trained on.
        trained: String,
        /// What the store has.
        found: String,
        /// The preset of the run's encoder.
        preset: String,
    },
    /// Something that the head needs.
    #[error("{0}")]
    Head(String),
    /// A layer that the head needs.
    #[error(
        "head `{head}` reads the classes that `{encoder}` tells apart, and its features come without its classification layer; encode the pictures with a preset whose `{encoder}` has a `classifier`"
    )]
    NoLayer {
        /// The head.
        head: &'static str,
        /// The encoder.
        encoder: &'static str,
    },
    /// Posts that were encoded without the text in their pictures, for a run that was trained with it, or the other way
    /// round.
    #[error("{0}")]
    Ocr(&'static str),
}

/// What is wrong with a file of weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsProblem {
    /// No safetensors file.
    #[error("it is no safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// A file of `torch.save` that cannot be read.
    #[error("it is no file of weights that PyTorch saved: {0}")]
    PyTorch(String),
    /// A weight that the head has and the file lacks.
    #[error("weight `{0}` is missing: it belongs to another head or to other options")]
    Missing(String),
    /// A weight that the head lacks.
    #[error("weight `{0}` is unknown: it belongs to another head or to other options")]
    Unknown(String),
    /// A weight of another size.
    #[error("weight `{name}` has shape {found:?}, the head needs {expected:?}")]
    Shape {
        /// The weight.
        name: String,
        /// In the file.
        found: Vec<usize>,
        /// In the head.
        expected: Vec<usize>,
    },
    /// What the file says of its network, beside the weights.
    #[error("what it says of strides and stem cannot be read: {0}")]
    Layout(String),
    /// A weight that is not of 32-bit floats.
    #[error("weight `{0}` is not of type F32")]
    Type(String),
}

/// Of a panic that says nothing.
pub(crate) const NO_REASON: &str = "it gave no reason";

/// What a panic that was caught says.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or(NO_REASON)
}
