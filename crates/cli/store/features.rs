//! `mmfnd features`: looks into a feature store, checks it, and hands it to people who work with data frames.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use mmfnd_encode::{Options, Preset, Sample, Sampled, check_sample};
use mmfnd_features::{EncoderReport, Inspection, Store, Verified};

use crate::show::count::count;
use crate::show::table::{left, right, table};
use crate::store::export;

/// Look into a feature store, check it, export it
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show what a store holds
    Inspect {
        /// Folder of the store
        store: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Read every byte of a store and compare it with what was written; exits 1 and names the files that differ
    ///
    /// With --sample, rows drawn at random are encoded again and compared, too; exits 1 when one is farther off than
    /// the precision of its encoder allows.
    Verify(VerifyArguments),
    /// Join stores into a new one: the shards that `mmfnd encode --shard` filled, or stores of different posts
    ///
    /// Refused are stores of other encoders, unfinished ones, shards of which one is missing, and posts that two stores
    /// link differently. The new store appears whole or not at all.
    Merge {
        /// Folders of the stores
        #[arg(required = true, num_args = 2.., value_name = "STORE")]
        stores: Vec<PathBuf>,
        /// Folder of the new store
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Write one Parquet file with a row per post and a column per encoder
    ///
    /// Columns: post_id, label (0 real, 1 fake, null unknown), split, then for each encoder a list of float32 of fixed
    /// size, null where the post has no such feature.
    Export {
        /// Folder of the store
        store: PathBuf,
        /// Posts, as `mmfnd import` writes them
        #[arg(long, value_name = "FILE")]
        posts: PathBuf,
        /// File to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Add text, image (the path of the first picture), and x and y: a map of the posts by the features of this
        /// encoder (t-SNE, seeded), as Embedding Atlas opens it
        #[arg(long, value_name = "ENCODER")]
        projection: Option<String>,
    },
}

#[derive(Args)]
struct VerifyArguments {
    /// Folder of the store
    store: PathBuf,
    /// As JSON
    #[arg(long, conflicts_with = "sample")]
    json: bool,
    /// Encode this many rows of each encoder again
    #[arg(long, value_name = "K", requires = "preset", requires = "posts", value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    /// The preset that the features were made with, a name or a TOML file
    #[arg(long, value_name = "PRESET", requires = "sample")]
    preset: Option<String>,
    /// The posts that were encoded
    #[arg(long, value_name = "FILE", requires = "sample")]
    posts: Option<PathBuf>,
    /// Draws other rows
    #[arg(long, value_name = "N", default_value_t = 1, requires = "sample")]
    seed: u64,
}

/// Runs one of them.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Inspect { store, json } => inspect(&store, json),
        Command::Verify(arguments) => verify(&arguments),
        Command::Merge { stores, out } => merge(&stores, &out),
        Command::Export {
            store,
            posts,
            out,
            projection,
        } => print(&export::export(
            (&store, &posts),
            projection.as_deref(),
            &out,
        )?),
    }
}

fn inspect(store: &Path, json: bool) -> anyhow::Result<()> {
    let inspection = Store::open(store)?.inspect()?;
    print(&match json {
        true => serde_json::to_string_pretty(&inspection)? + "\n",
        false => summary(&inspection),
    })
}

fn verify(arguments: &VerifyArguments) -> anyhow::Result<()> {
    let verified = mmfnd_features::verify(&arguments.store)?;
    if arguments.json {
        print(&(serde_json::to_string_pretty(&verified)? + "\n"))?;
    } else {
        report(&verified)?;
    }
    match verified.problems.as_slice() {
        [] => encode_again(arguments),
        [one] => bail!("`{}`: {}", one.file.display(), one.problem),
        [first, others @ ..] => bail!(
            "`{}`: {} (and {} more, listed above)",
            first.file.display(),
            first.problem,
            others.len()
        ),
    }
}

/// The sample of rows, where one was asked for.
fn encode_again(arguments: &VerifyArguments) -> anyhow::Result<()> {
    let (Some(rows), Some(preset), Some(posts)) =
        (arguments.sample, &arguments.preset, &arguments.posts)
    else {
        return Ok(());
    };
    let preset = Preset::find(preset)?;
    let posts = mmfnd_posts::read_posts(posts)?;
    let sample = Sample {
        rows: rows as usize,
        seed: arguments.seed,
    };
    let options = Options::default();
    let sampled = check_sample(&posts, &preset, &arguments.store, &options, sample)?;
    print(&sampled_table(&sampled))?;
    let problems: Vec<String> = sampled.iter().filter_map(Sampled::problem).collect();
    match problems.is_empty() {
        true => Ok(()),
        false => bail!("{}", problems.join("; ")),
    }
}

/// A line per encoder, and one for each that lacks contents.
fn sampled_table(sampled: &[Sampled]) -> String {
    let columns = vec![
        left("encoder"),
        right("rows"),
        right("compared"),
        right("cosine"),
        right("difference"),
        right("relative"),
    ];
    let row = |one: &Sampled| {
        vec![
            one.name.clone(),
            one.rows.to_string(),
            one.compared.to_string(),
            format!("{:.7}", one.cosine),
            format!("{:.3e}", one.difference),
            format!("{:.3e}", one.relative),
        ]
    };
    let mut text = table(columns, sampled.iter().map(row));
    for one in sampled.iter().filter(|one| !one.absent.is_empty()) {
        text += &format!(
            "note     {}: {} of the rows that were drawn {} not compared: none of the posts has their content, such as {}\n",
            one.name,
            one.absent.len(),
            if one.absent.len() == 1 { "was" } else { "were" },
            one.absent[0]
        );
    }
    text
}

fn report(verified: &Verified) -> anyhow::Result<()> {
    let mut text = String::new();
    for problem in &verified.problems {
        writeln!(
            text,
            "damaged  {}: {}",
            problem.file.display(),
            problem.problem
        )?;
    }
    for note in &verified.notes {
        writeln!(text, "note     {note}")?;
    }
    let result = match verified.problems.len() {
        0 => "every byte is as it was written".to_owned(),
        1 => "1 problem".to_owned(),
        problems => format!("{problems} problems"),
    };
    let size = megabytes(verified.bytes);
    writeln!(text, "{} files, {size} MB: {result}", verified.files)?;
    print(&text)
}

fn merge(stores: &[PathBuf], out: &Path) -> anyhow::Result<()> {
    let merged = mmfnd_features::merge(stores, out)?;
    let mut text = format!(
        "{} merged into `{}`: {}, {}\n",
        count(merged.stores, "store"),
        out.display(),
        count(merged.posts, "post"),
        count(merged.rejects, "reject")
    );
    for (encoder, rows) in &merged.encoders {
        writeln!(text, "{encoder:<12} {}", count(*rows, "row"))?;
    }
    text += &makers(&Store::open(out)?.inspect()?.encoders);
    print(&text)
}

/// The store in lines for people.
fn summary(inspection: &Inspection) -> String {
    let pictures = count(inspection.pictures, "picture");
    let texts = match inspection.texts == inspection.texts_with_ocr {
        true => count(inspection.texts, "text"),
        false => format!(
            "{} texts ({} with text in pictures)",
            inspection.texts, inspection.texts_with_ocr
        ),
    };
    let shard = inspection.shard.map(|shard| format!(" (shard {shard})"));
    let lines = [
        format!(
            "store        {}{}",
            inspection.path.display(),
            shard.unwrap_or_default()
        ),
        format!("fingerprint  {}", &inspection.fingerprint[..12]),
        format!(
            "posts        {} with {texts} and {pictures}",
            inspection.posts
        ),
        format!(
            "             {} without a usable picture, {} rejects",
            inspection.without_picture, inspection.rejects
        ),
        String::new(),
    ];
    let unfinished = inspection.encoders.iter().filter_map(unfinished);
    lines.join("\n")
        + "\n"
        + &encoder_table(&inspection.encoders)
        + &unfinished.collect::<String>()
        + &makers(&inspection.encoders)
}

/// Who made the parts of each encoder that several made.
fn makers(encoders: &[EncoderReport]) -> String {
    let mut text = String::new();
    for encoder in encoders.iter().filter(|encoder| encoder.made_by.len() > 1) {
        let name = &encoder.spec.name;
        text += &format!("{name}: made by several, whose values may differ in their last bits\n");
        for (maker, parts) in &encoder.made_by {
            text += &format!("  {} by {maker}\n", count(*parts, "part"));
        }
    }
    text
}

/// What an encoder lacks, if anything.
fn unfinished(encoder: &EncoderReport) -> Option<String> {
    let planned = match encoder.planned {
        0 if encoder.missing == 0 => return None,
        0 => String::new(),
        planned => format!(", {planned} planned batches are left"),
    };
    let name = &encoder.spec.name;
    let missing = count(encoder.missing, "content");
    Some(format!(
        "{name}: {missing} not encoded{planned}; run `mmfnd encode` again\n"
    ))
}

/// A row per encoder.
fn encoder_table(encoders: &[EncoderReport]) -> String {
    let columns = vec![
        left("encoder"),
        left("input"),
        left("shape"),
        left("type"),
        right("rows"),
        right("MB"),
        left("precision"),
        left("provider"),
        left("fingerprint"),
        left("preset"),
        left("model"),
    ];
    table(columns, encoders.iter().map(cells))
}

fn cells(encoder: &EncoderReport) -> Vec<String> {
    let spec = &encoder.spec;
    let shape: Vec<_> = spec.shape.iter().map(usize::to_string).collect();
    vec![
        spec.name.clone(),
        spec.input.to_string(),
        shape.join("x"),
        spec.value_type.to_string(),
        encoder.rows.to_string(),
        megabytes(encoder.bytes),
        spec.precision.to_string(),
        providers(encoder),
        spec.short_fingerprint().to_owned(),
        spec.preset.clone(),
        spec.model.clone(),
    ]
}

/// Every provider that made a part.
fn providers(encoder: &EncoderReport) -> String {
    let names = encoder
        .made_by
        .keys()
        .filter_map(|made_by| made_by.split(' ').next());
    let names: std::collections::BTreeSet<&str> = names.collect();
    match names.is_empty() {
        true => encoder.spec.provider.clone(),
        false => names.into_iter().collect::<Vec<_>>().join("+"),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("cannot print")
}
