//! `mmfnd report`: runs, sweeps and ablations as one page, or as tables.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::ValueEnum;
use mmfnd_posts::atomic;
use mmfnd_report::{Format, Options, Report};

use crate::outputs::check_file;
use crate::show::note::note;

/// Put runs, sweeps and ablations on one page that opens from the disk, or print their tables
///
/// The page needs no network. Beside it lies PAGE.json with all that it shows. What is unfinished or damaged is named
/// on the page and left out.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folders with runs and sweeps, at any depth up to four
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// The page; without it, and without --format and --figures, `report.html`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Posts that the runs are about, for events, causes, cards and the leak audit; repeatable
    #[arg(long, value_name = "FILE")]
    posts: Vec<PathBuf>,
    /// Put small copies of pictures on the cards; they are other people's, so only where you may show them
    #[arg(long, requires = "posts")]
    pictures: bool,
    /// Print the tables
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<TableFormat>,
    /// Write each figure as SVG and PNG into this folder
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
}

/// How tables are printed.
#[derive(Clone, Copy, ValueEnum)]
enum TableFormat {
    Md,
    Csv,
    /// All that the page shows
    Json,
    /// Needs the packages booktabs and graphicx
    Latex,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    if let Some(out) = &arguments.out {
        let reads = arguments.folders.iter().chain(&arguments.posts);
        check_page(out, &reads.map(PathBuf::as_path).collect::<Vec<_>>())?;
    }
    let report = mmfnd_report::report(&Options {
        folders: arguments.folders,
        posts: arguments.posts,
        pictures: arguments.pictures,
    })?;
    let nothing_else = arguments.format.is_none() && arguments.figures.is_none();
    let out = arguments
        .out
        .or_else(|| nothing_else.then(|| PathBuf::from("report.html")));
    if let Some(out) = &out {
        write_page(&report, out)?;
        note(format_args!("`{}`: open it in a browser", out.display()));
    }
    if let Some(folder) = &arguments.figures {
        mmfnd_report::write_figures(&report, folder)?;
        note(format_args!(
            "`{}`: each figure as SVG and PNG",
            folder.display()
        ));
    }
    if let Some(format) = arguments.format {
        let format = match format {
            TableFormat::Md => Format::Md,
            TableFormat::Csv => Format::Csv,
            TableFormat::Json => Format::Json,
            TableFormat::Latex => Format::Latex,
        };
        let tables = mmfnd_report::write_tables(&report, format);
        std::io::stdout()
            .lock()
            .write_all(tables.as_bytes())
            .context("cannot print the tables")?;
    }
    Ok(())
}

/// Refuses to write over what is read, with the page or with the JSON beside it.
pub(crate) fn check_page(out: &Path, reads: &[&Path]) -> anyhow::Result<()> {
    check_file(out, reads)?;
    let is_page = out
        .extension()
        .is_some_and(|end| end == "html" || end == "htm");
    if !is_page {
        bail!(
            "`{}` has another ending than a page; name one that ends in `.html`",
            out.display()
        );
    }
    check_file(&out.with_extension("json"), reads)
}

/// Writes the page and, beside it, all that it shows as JSON.
pub fn write_page(report: &Report, out: &Path) -> anyhow::Result<()> {
    let json = mmfnd_report::write_tables(report, Format::Json);
    let files = [
        (out.to_owned(), mmfnd_report::page(report)),
        (out.with_extension("json"), json),
    ];
    for (path, text) in files {
        atomic::write(&path, |file| file.write_all(text.as_bytes()))?;
    }
    Ok(())
}
