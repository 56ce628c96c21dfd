//! Posts come in, and go out with the text in their pictures, read by the program Tesseract (the paper appends it to
//! the post's own text).
//!
//! Of each post the picture is read that stands for it in stage 1: the first that decodes. What Tesseract is given is
//! that picture, decoded by this program, so every format that can be encoded can be read. Each distinct picture is
//! read once and kept in a cache by its content, the languages and Tesseract's version.

mod cache;
mod error;
mod page;
mod reader;
mod summary;
mod tesseract;
mod words;

use std::path::PathBuf;

use mmfnd_posts::Post;

use self::cache::Cache;
use self::reader::Reader;
use self::tesseract::Tesseract;
pub use error::OcrError;
pub use summary::{OcrReject, OcrSummary};

/// How to read.
#[derive(Clone, Debug)]
pub struct OcrOptions {
    /// The program; a bare name is looked for on `PATH`.
    pub program: PathBuf,
    /// Tesseract's names of the languages, joined by `+`.
    pub languages: String,
    /// Pictures that are read at once; 0 for as many as there are cores.
    pub threads: usize,
    /// The file that keeps what was read.
    pub cache: PathBuf,
}

impl OcrOptions {
    /// These languages, with everything else as usual: `tesseract` on `PATH`, all cores, `ocr.jsonl` in our cache
    /// folder.
    pub fn new(languages: &str) -> Self {
        Self {
            program: "tesseract".into(),
            languages: languages.to_owned(),
            threads: 0,
            cache: crate::cache_dir::cache_dir().join("ocr.jsonl"),
        }
    }
}

/// Whether Tesseract can read these languages here; the error says how to install what is missing.
pub fn check_ocr(options: &OcrOptions) -> Result<(), OcrError> {
    Tesseract::find(&options.program, &options.languages)?;
    Ok(())
}

/// The line that installs Tesseract with these languages.
pub fn ocr_install_line(languages: &str) -> String {
    tesseract::install(&languages.split('+').collect::<Vec<_>>())
}

/// Reads the text in the pictures of posts and writes it into their `ocr_text`: empty where a picture has none, as it
/// was where no picture can be read. `on_progress` is told how many of how many distinct lists of pictures are done.
pub fn read_pictures(
    posts: &mut [Post],
    options: &OcrOptions,
    on_progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<OcrSummary, OcrError> {
    let tesseract = Tesseract::find(&options.program, &options.languages)?;
    let cache = Cache::open(&options.cache, tesseract.recipe())?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(OcrError::Threads)?;
    let reader = Reader::new(tesseract, cache, posts);
    pool.install(|| reader.read_all(posts, on_progress));
    let (texts, mut summary) = reader.outcome(posts)?;
    for (post, text) in posts.iter_mut().zip(texts) {
        match text {
            Some(text) => {
                summary.posts_with_text += usize::from(!text.is_empty());
                post.ocr_text = Some(text);
            }
            None => summary.posts_without_picture += 1,
        }
    }
    Ok(summary)
}

/// The parsers behind [`read_pictures`], for fuzz targets: on the way through it each input would start a program.
#[doc(hidden)]
pub mod fuzzing {
    use std::path::Path;

    use super::OcrError;

    /// The text of Tesseract's table of words; `None` for no such table.
    pub fn text_of_words(table: &str) -> Option<String> {
        super::words::text_of(table)
    }

    /// How many pictures a cache knows under a recipe.
    pub fn ocr_cache(path: &Path, recipe: &str) -> Result<usize, OcrError> {
        Ok(super::Cache::open(path, recipe.to_owned())?.len())
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests;
