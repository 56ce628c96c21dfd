//! `mmfnd import`: a dataset as it is distributed becomes posts, rejects, counts and a leak audit.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand, ValueEnum};
use mmfnd_posts::Error;
use mmfnd_posts::import::{self, Import, MissingImage, Options};

use crate::outputs::{self, Folder};
use crate::show::count::count;

/// Turn a dataset into posts.parquet, rejects.csv and import.json, and audit it for leaks
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    dataset: Dataset,
}

#[derive(Subcommand)]
enum Dataset {
    /// MediaEval "Verifying Multimedia Use" 2016 (devset/posts.txt, testset/posts_groundtruth.txt) or 2015 (tweets.txt)
    ///
    /// The dev set becomes split train, the test set split test. Pictures are found by id anywhere below ROOT, whatever
    /// their ending. A post's event is the first part of its picture's id. Posts of 2015 labelled humor are rejects.
    Twitter {
        /// Folder of the dataset
        root: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Weibo (Jin et al. 2017): {train,test}_{rumor,nonrumor}.txt, rumor_images, nonrumor_images
    ///
    /// The four files lie in ROOT or in ROOT/tweets. Rumours become fake, non-rumours real.
    Weibo {
        /// Folder of the dataset
        root: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// A list of your own: CSV, TSV, JSON lines or Parquet, one post a row
    ///
    /// Columns, found by name: id, text, image (paths relative to the manifest's folder, several separated by `|`), and
    /// optionally label (1, fake, rumor; 0, real, non-rumor), split (train, validation, test), event, ocr_text. Without
    /// a column label all posts are unlabelled and of split test; without a column split all are of split train.
    Manifest {
        /// The file; its ending names the format: .csv, .tsv, .jsonl, .ndjson, .parquet
        file: PathBuf,
        #[command(flatten)]
        common: Common,
        /// Take pictures outside the manifest's folder, too
        #[arg(long)]
        allow_outside: bool,
    },
}

#[derive(Args)]
struct Common {
    /// Folder to write to; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What becomes of posts none of whose pictures exists
    #[arg(long, value_enum, default_value = "drop")]
    missing_image: Missing,
}

#[derive(Clone, Copy, ValueEnum)]
enum Missing {
    /// They are rejects
    Drop,
    /// They stay, with their text only
    Keep,
}

/// Imports, prints the summary, writes the three files; an import without any post is an error.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.dataset {
        Dataset::Twitter { root, common } => import(&common, false, &root, import::twitter),
        Dataset::Weibo { root, common } => import(&common, false, &root, import::weibo),
        Dataset::Manifest {
            file,
            common,
            allow_outside,
        } => import(&common, allow_outside, &file, import::manifest),
    }
}

fn import(
    common: &Common,
    allow_outside: bool,
    source: &Path,
    read: fn(&Path, &Options) -> Result<Import, Error>,
) -> anyhow::Result<()> {
    let files = ["posts.parquet", "rejects.csv", "import.json"];
    Folder::Import.check(&common.out, &files[..2])?;
    if source.is_file() {
        for file in files {
            outputs::check_file(&common.out.join(file), &[source])?;
        }
    }
    import::prepare_out(&common.out)?;
    let options = Options {
        missing_image: match common.missing_image {
            Missing::Drop => MissingImage::Drop,
            Missing::Keep => MissingImage::Keep,
        },
        allow_outside,
    };
    let import = read(source, &options)?;
    import.write(&common.out)?;
    let out = common.out.display();
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "{import}")
        .and_then(|()| writeln!(stdout, "\n  {out}: posts.parquet, rejects.csv, import.json"))
        .context("cannot print the summary")?;
    ensure!(
        import.counts.posts > 0,
        "no row became a post ({}); `{}` says why",
        count(import.counts.rejects, "reject"),
        common.out.join("rejects.csv").display()
    );
    Ok(())
}
