//! Runs, sweeps and ablations as one page that opens from the disk, and as tables, figures and JSON.
//!
//! Comes in: folders that `mmfnd train`, `sweep` and `ablate` wrote, and the posts that they are about. Goes out: a
//! [`Report`], which
//! [`page`] makes HTML of, [`write_tables`] text and [`write_figures`] files.
//!
//! ```
//! use mmfnd_report::{Options, report};
//!
//! let options = Options { folders: vec!["no/such/folder".into()], ..Options::default() };
//! let error = report(&options).unwrap_err().to_string();
//! assert!(error.contains("no/such/folder"), "{error}");
//! ```

mod content;
mod draw;
mod error;
mod evidence;
mod numbers;
mod page;
mod runs;
mod sections;
mod versus;

use std::io::Write;
use std::path::{Path, PathBuf};

use mmfnd_posts::atomic;

pub use content::{
    Block, Card, Cell, Column, Figure, Format, Picture, Report, Section, Table, write_tables,
};
pub use error::Error;
pub use numbers::{Spread, tsne as map_of};
pub use page::page;
pub use sections::published_figures;
pub use versus::{Disputed, Versus, p_value, versus};

/// What a report is of.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// With runs and sweeps, at any depth up to four.
    pub folders: Vec<PathBuf>,
    /// Posts files, for events, causes, cards and the leak audit.
    pub posts: Vec<PathBuf>,
    /// Whether small copies of pictures are put into the page; they are other people's.
    pub pictures: bool,
}

/// Reads runs and posts, and says what is in them.
pub fn report(options: &Options) -> Result<Report, Error> {
    let mut found = runs::find(&options.folders)?;
    let mut problems = std::mem::take(&mut found.problems);
    let mut posts = Vec::new();
    for path in &options.posts {
        posts.push(evidence::PostsFile::read(path, &mut problems)?);
    }
    let sets = evidence::test_sets(&found.groups, &posts, &mut problems);
    Ok(sections::report(&sections::Input {
        sets: &sets,
        sweeps: &found.sweeps,
        problems: &problems,
        pictures: options.pictures,
    }))
}

/// Writes each figure of the report as `ID.svg` and `ID.png` into a folder.
pub fn write_figures(report: &Report, folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|source| mmfnd_posts::Error::Write {
        path: folder.to_owned(),
        source,
    })?;
    for figure in report.figures() {
        let write = |ending: &str, bytes: &[u8]| {
            let path = folder.join(format!("{}.{ending}", figure.id));
            atomic::write(&path, |file| file.write_all(bytes))
        };
        write("svg", draw::in_light(&figure.svg).as_bytes())?;
        write("png", &draw::png(&figure.id, &figure.svg)?)?;
    }
    Ok(())
}
