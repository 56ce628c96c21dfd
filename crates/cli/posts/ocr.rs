//! `mmfnd ocr`: the text in the posts' pictures, read by Tesseract, into `posts.parquet`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};
use mmfnd_encode::{OcrOptions, OcrReject, OcrSummary, read_pictures};
use mmfnd_posts::{Post, PostsFile, TableColumn, write_posts, write_table};

use crate::outputs::check_file;
use crate::show::count::count;
use crate::show::progress::Stage;
use crate::threads::threads;

/// Read the text in the posts' pictures with Tesseract, into the column ocr_text
///
/// `mmfnd encode --with-ocr` appends it to the text for BERT. Of each post the picture is read that is encoded: the
/// first
/// that decodes. Each distinct picture is read once; a run that was interrupted goes on where it was.
#[derive(clap::Args)]
pub struct Arguments {
    /// Posts, as `mmfnd import` writes them
    #[arg(long, value_name = "FILE")]
    posts: PathBuf,
    /// Languages by Tesseract's names, joined by `+`: eng, chi_sim, chi_sim+eng, …
    #[arg(long, value_name = "LANGUAGES")]
    lang: String,
    /// Where the posts are written with what was read; by default where they were
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Pictures that are read at once; as many as there are cores by default
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = threads)]
    threads: usize,
    /// File that keeps what was read, for the next run; by default ocr.jsonl in the cache folder
    #[arg(long, value_name = "FILE")]
    cache: Option<PathBuf>,
    /// The program, by name on PATH or by path
    #[arg(long, value_name = "PROGRAM", default_value = "tesseract")]
    tesseract: PathBuf,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let out = arguments.out.as_deref().unwrap_or(&arguments.posts);
    check_nothing_is_lost(&arguments.posts, out)?;
    let list = out.with_file_name("ocr-rejects.csv");
    check_file(&list, &[&arguments.posts])?;
    make_folder(out)?;
    let mut posts = mmfnd_posts::read_posts(&arguments.posts)?;
    let usual = OcrOptions::new(&arguments.lang);
    let options = OcrOptions {
        program: arguments.tesseract,
        threads: arguments.threads,
        cache: arguments.cache.unwrap_or(usual.cache),
        ..usual
    };
    check_file(&options.cache, &[&arguments.posts, out])?;
    let summary = read_posts_pictures(&mut posts, &options)?;
    write_posts(out, &posts)?;
    write_rejects(&list, &summary.rejects)?;
    print(&summary, out, &list);
    Ok(())
}

/// A file that is something else (a run's, a picture) is left alone. Columns of the user's own are not written again:
/// they must not vanish from the only file that has them.
fn check_nothing_is_lost(posts: &Path, out: &Path) -> anyhow::Result<()> {
    let others = mmfnd_posts::other_columns(posts)?;
    let same = |path: &Path| path.canonicalize().ok();
    if same(posts) != same(out) && out.exists() && PostsFile::open(out).is_err() {
        bail!(
            "`{}` is no file of posts and would be replaced; name another file",
            out.display()
        );
    }
    if !others.is_empty() && same(posts) == same(out) {
        bail!(
            "`{}` has columns that would be lost when it is written again: `{}`; write to another file with `--out`",
            posts.display(),
            others.join("`, `")
        );
    }
    Ok(())
}

/// Found out before the long part: nothing could be written there.
fn make_folder(out: &Path) -> anyhow::Result<()> {
    let folder = out.parent().unwrap_or(Path::new(""));
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))
}

/// Reads with a progress bar.
pub(crate) fn read_posts_pictures(
    posts: &mut [Post],
    options: &OcrOptions,
) -> anyhow::Result<OcrSummary> {
    let stage = Mutex::new(Stage::start("ocr", 0));
    let summary = read_pictures(posts, options, &|done, total| {
        let mut stage = stage.lock().unwrap_or_else(PoisonError::into_inner);
        stage.update(done as u64, total as u64, "pictures");
    })?;
    let stage = stage.into_inner().unwrap_or_else(PoisonError::into_inner);
    let OcrSummary {
        read,
        cached,
        posts_with_text,
        ..
    } = &summary;
    stage.finish(&format!(
        "{read} pictures read, {cached} known from earlier; text in the pictures of {posts_with_text} posts"
    ));
    Ok(summary)
}

/// Beside the posts, whether or not there is anything to list.
fn write_rejects(path: &Path, rejects: &[OcrReject]) -> anyhow::Result<()> {
    let column = |of: fn(&OcrReject) -> String| {
        TableColumn::Text(rejects.iter().map(|reject| Some(of(reject))).collect())
    };
    let columns = [
        ("post_id", column(|reject| reject.post_id.clone())),
        ("path", column(|reject| reject.path.display().to_string())),
        ("reason", column(|reject| reject.reason.clone())),
    ];
    write_table(path, &columns)?;
    Ok(())
}

fn print(summary: &OcrSummary, out: &Path, list: &Path) {
    println!(
        "{}: text in the picture of {}, none in that of {}, {} without a picture that can be read",
        count(summary.posts, "post"),
        summary.posts_with_text,
        summary.posts - summary.posts_with_text - summary.posts_without_picture,
        summary.posts_without_picture
    );
    println!(
        "{} read now, {} known from earlier",
        count(summary.read, "distinct picture"),
        summary.cached
    );
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reject in &summary.rejects {
        // What is particular about one file stands in the list.
        let kind = reject.reason.split(':').next().unwrap_or_default();
        *reasons.entry(kind).or_default() += 1;
    }
    for (reason, files) in reasons {
        println!("not read: {} ({reason})", count(files, "file"));
    }
    println!(
        "posts: `{}`; pictures that were not read: `{}`",
        out.display(),
        list.display()
    );
}
