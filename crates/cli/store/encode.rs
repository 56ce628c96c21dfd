//! `mmfnd encode`: stage 1, posts through frozen encoders into the feature store.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use mmfnd_encode::{
    Device, EncoderSummary, Maps, Options, Preset, Progress, Summary, TokenStates, bfloat16,
    in_bfloat16,
};
use mmfnd_features::{Shard, Store, ValueType};
use mmfnd_posts::{PostSource, PostsFile};

use crate::outputs::Folder;
use crate::show::count::count;
use crate::show::note::note;
use crate::show::progress::Stage;
use crate::show::table::{left, right, table};
use crate::threads::threads;

/// Encode posts into a feature store; what is there already is not encoded again
#[derive(clap::Args)]
pub struct Arguments {
    /// Posts, as `mmfnd import` writes them
    #[arg(long, value_name = "FILE")]
    posts: PathBuf,
    /// Name of a preset (`mmfnd doctor` lists them), or the TOML file of one
    #[arg(long, value_name = "PRESET")]
    preset: String,
    /// Folder of the feature store; made if there is none
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// Threads; all cores by default
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = threads)]
    threads: usize,
    /// Where the encoders run
    #[arg(long, value_enum, default_value_t = DeviceName::Cpu)]
    device: DeviceName,
    /// Leave all products to ONNX Runtime, also where the processor has matrix tiles (Intel AMX)
    #[arg(long)]
    no_tiles: bool,
    /// Arithmetic of encoders whose files are float32: bf16 rounds the operands of large products to bfloat16 (a store
    /// of its own; see docs/speed.md), auto takes it where it is faster and says why; without this float32
    #[arg(long, value_enum, conflicts_with = "no_tiles")]
    precision: Option<PrecisionName>,
    /// Most tokens of a batch of texts, padding included; less where the device's memory is short [default: 512 on the
    /// CPU, 16384 on a GPU]
    #[arg(long, value_name = "N", value_parser = batch)]
    batch_tokens: Option<usize>,
    /// Most pictures of a batch [default: 8 on the CPU, 32 on a GPU]
    #[arg(long, value_name = "N", value_parser = batch)]
    batch_images: Option<usize>,
    /// Drop the stored features of this encoder if another model made them
    #[arg(long, value_name = "ENCODER")]
    replace: Vec<String>,
    /// How the features are stored; by default as the store has them, f16 in a new one
    #[arg(long, value_enum)]
    values: Option<ValueName>,
    /// Run only this encoder of the preset
    #[arg(long, value_name = "ENCODER")]
    only: Vec<String>,
    /// Only this part of the work, for one of N machines with a store each; `mmfnd features merge` joins them
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Append the text in the pictures (ocr_text, read by `mmfnd ocr`) for encoders that read text+ocr; without this
    /// it is not used
    #[arg(long)]
    with_ocr: bool,
    /// Also keep the last states of BERT's tokens, for heads that read sequences; how much they take is said before
    #[arg(long)]
    with_tokens: bool,
    /// With --with-tokens: most tokens of a text that are kept [default: as the store has them, 128 in a new one]
    #[arg(long, value_name = "N", requires = "with_tokens", value_parser = clap::value_parser!(u16).range(1..=8192))]
    max_tokens: Option<u16>,
    /// Also keep the maps that ResNet's fourth layer reads, for `train --online-resnet`; how much they take is said
    /// before
    #[arg(long)]
    with_maps: bool,
    /// Write finished features at least this often; it is what a kill can lose
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0, value_parser = seconds)]
    write_every: f64,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum DeviceName {
    Cpu,
    Cuda,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum PrecisionName {
    F32,
    Bf16,
    Auto,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ValueName {
    F16,
    F32,
}

fn batch(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size @ 1..=1_000_000) => Ok(size),
        _ => Err("a number from 1 to 1000000".into()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=1e6).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 1000000".into()),
    }
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    ask_for_large_pages();
    Folder::Store.check(&arguments.store, &["rejects.csv"])?;
    let mut preset = Preset::find(&arguments.preset)?;
    if !arguments.only.is_empty() {
        preset = preset.only(&arguments.only)?;
    }
    let tokens = arguments.with_tokens.then(|| match arguments.max_tokens {
        Some(most) => most.into(),
        None => stored_tokens(&arguments.store).unwrap_or(MAX_TOKENS),
    });
    let options = Options {
        tokens,
        maps: arguments.with_maps,
        device: match arguments.device {
            DeviceName::Cpu => Device::Cpu,
            DeviceName::Cuda => Device::Cuda,
        },
        threads: arguments.threads,
        tiles: !arguments.no_tiles,
        value_type: arguments.values.map(|values| match values {
            ValueName::F16 => ValueType::F16,
            ValueName::F32 => ValueType::F32,
        }),
        replace: arguments.replace,
        batch_tokens: arguments.batch_tokens,
        batch_images: arguments.batch_images,
        shard: arguments.shard,
        write_every: Duration::from_secs_f64(arguments.write_every),
        ..Options::default()
    };
    let preset = match arguments.precision {
        None | Some(PrecisionName::F32) => preset,
        Some(PrecisionName::Bf16) => in_bfloat16(&preset, options.device)?,
        Some(PrecisionName::Auto) => choose_precision(preset, options.device)?,
    };
    // A file that is no posts file is refused before the store is made.
    let posts = choose_ocr(&arguments.posts, arguments.with_ocr)?;
    let summary = encode_posts(posts, &preset, &arguments.store, &options)?;
    if let Some(shard) = arguments.shard {
        print!("shard {shard}: ");
    }
    print(&summary, &arguments.store);
    Ok(())
}

/// A preset in the precision of a store's encoders; as it is where there is no store that can be read, of which whoever
/// opens it will say what is wrong.
pub(crate) fn as_stored(preset: &Preset, store: &Path) -> Preset {
    match Store::open(store) {
        Ok(store) => preset.in_precision_of(store.encoders()),
        Err(_) => preset.clone(),
    }
}

/// Float32 or bfloat16, whichever is faster here; says which, and why.
fn choose_precision(preset: Preset, device: Device) -> anyhow::Result<Preset> {
    let (is_faster, why) = bfloat16(device);
    let name = if is_faster { "bf16" } else { "f32" };
    eprintln!("precision {name} for float32 files: {why}");
    match is_faster {
        true => Ok(in_bfloat16(&preset, device)?),
        false => Ok(preset),
    }
}

/// Tokens of a text that are kept where nobody says how many; tweets have fewer.
const MAX_TOKENS: usize = 128;

/// How many tokens of a text a store keeps at most, where it keeps some.
fn stored_tokens(store: &Path) -> Option<usize> {
    let store = Store::open(store).ok()?;
    let mut specs = store.encoders().iter();
    let tokens = specs.find(|spec| spec.name == mmfnd_encode::TOKENS)?;
    tokens.shape.first().copied()
}

/// The posts of a file, with the text in their pictures or without; says so when it is there and not used.
pub(crate) fn choose_ocr(file: &Path, is_wanted: bool) -> anyhow::Result<PostSource<'_>> {
    let (mut posts, mut read, mut with_text) = (0, 0, 0);
    for some in PostsFile::open(file)? {
        let some = some?;
        let texts = some.iter().filter_map(|post| post.ocr_text.as_deref());
        posts += some.len();
        read += texts.clone().count();
        with_text += texts.filter(|text| !text.trim().is_empty()).count();
    }
    if is_wanted && read == 0 && posts > 0 {
        bail!(
            "no post in `{file}` has text from its picture (`ocr_text`); read it first: `mmfnd ocr --posts {file} --lang eng`",
            file = file.display()
        );
    }
    if is_wanted {
        return Ok(PostSource::File(file));
    }
    if with_text > 0 {
        note(format_args!(
            "the text in the pictures of {} is not used; `--with-ocr` appends it",
            count(with_text, "post")
        ));
    }
    Ok(PostSource::WithoutOcr(file))
}

/// Lets glibc ask the kernel for large pages, which ONNX Runtime's weights want: BERT is 5 to 8 % faster with them.
///
/// glibc takes this wish at a program's start only, so the program takes its own place once, as the same process.
/// Where that cannot be, it is only slower.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn ask_for_large_pages() {
    use std::os::unix::process::CommandExt;

    const VARIABLE: &str = "GLIBC_TUNABLES";
    if std::env::var_os(VARIABLE).is_some() {
        return;
    }
    if let Ok(own) = std::env::current_exe() {
        let mut again = std::process::Command::new(own);
        let arguments = std::env::args_os().skip(1);
        let _ = again
            .args(arguments)
            .env(VARIABLE, "glibc.malloc.hugetlb=1")
            .exec();
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn ask_for_large_pages() {}

/// Encodes with progress bars.
pub(crate) fn encode_posts<'a>(
    posts: impl Into<PostSource<'a>>,
    preset: &Preset,
    store: &Path,
    options: &Options,
) -> anyhow::Result<Summary> {
    let stage: RefCell<Option<(String, Shown)>> = RefCell::new(None);
    let summary = mmfnd_encode::encode(posts, preset, store, options, &|progress| {
        show(&mut stage.borrow_mut(), progress);
    })?;
    finish(stage.into_inner());
    summary.encoders.iter().for_each(note_other_makers);
    Ok(summary)
}

/// A store may be filled here and there; whoever compares values wants to know it.
fn note_other_makers(encoder: &EncoderSummary) {
    let Some(maker) = &encoder.maker else { return };
    for (other, rows) in &encoder.other_makers {
        note(format_args!(
            "{}: {} encoded by {maker}, {} in the store by {other}; between the two, values may differ in their last bits (`mmfnd features inspect` says who made what)",
            encoder.name,
            count(encoder.encoded, "row"),
            rows
        ));
    }
}

/// A stage on the screen and what its last line will say.
struct Shown {
    stage: Stage,
    last: String,
}

fn show(shown: &mut Option<(String, Shown)>, progress: &Progress<'_>) {
    if shown
        .as_ref()
        .is_none_or(|(name, _)| name != progress.stage)
    {
        finish(shown.take());
        if let Some(TokenStates {
            texts,
            tokens,
            bytes,
        }) = progress.token_states
        {
            note(format_args!(
                "the states of {tokens} tokens of {texts} texts will take {:.1} MB of the store",
                bytes as f64 / 1e6
            ));
        }
        if let Some(Maps { pictures, bytes }) = progress.maps {
            note(format_args!(
                "the maps of {} will take {:.1} MB of the store",
                count(pictures as usize, "picture"),
                bytes as f64 / 1e6
            ));
        }
        let stage = Stage::start(progress.stage, progress.total);
        let last = String::new();
        *shown = Some((progress.stage.to_owned(), Shown { stage, last }));
    }
    if let Some((_, shown)) = shown {
        let message = progress.to_string();
        shown.stage.update(progress.done, progress.total, &message);
        shown.last = format!("{} of {}, {message}", progress.done, progress.total);
    }
}

fn finish(shown: Option<(String, Shown)>) {
    if let Some((_, shown)) = shown {
        shown.stage.finish(&shown.last);
    }
}

/// What was done, as a table.
fn print(summary: &Summary, store: &Path) {
    println!(
        "{}: {}, {}, {} without a usable picture",
        count(summary.posts, "post"),
        count(summary.texts, "distinct text"),
        count(summary.pictures, "distinct picture"),
        summary.posts_without_picture
    );
    print!("{}", encoder_table(&summary.encoders));
    print_rejects(summary, store);
    if summary.encoded() == 0 {
        println!("nothing to encode: everything is in the store");
    }
    println!(
        "{} written, {:.1} s in all; store: `{}`",
        count(summary.linked, "link"),
        summary.time.as_secs_f64(),
        store.display()
    );
}

fn encoder_table(encoders: &[EncoderSummary]) -> String {
    let columns = vec![
        left("encoder"),
        right("contents"),
        right("encoded"),
        right("present"),
        right("cut off"),
        right("padding"),
        right("seconds"),
    ];
    let row = |encoder: &EncoderSummary| {
        let padding = encoder
            .padding()
            .map_or(String::from("-"), |share| format!("{:.1} %", 100.0 * share));
        vec![
            encoder.name.clone(),
            encoder.contents.to_string(),
            encoder.encoded.to_string(),
            encoder.present.to_string(),
            encoder.truncated.to_string(),
            padding,
            format!("{:.1}", encoder.time.as_secs_f64()),
        ]
    };
    table(columns, encoders.iter().map(row))
}

fn print_rejects(summary: &Summary, store: &Path) {
    for (reason, files) in &summary.rejects {
        println!("not used: {} ({reason})", count(*files, "file"));
    }
    if summary.rejected() > 0 {
        println!(
            "each of them is in `{}`",
            store.join("rejects.csv").display()
        );
    }
}
