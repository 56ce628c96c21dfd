//! The entrance to stage 1: options, where encoders come from, and the two functions that run it.

use std::path::Path;
use std::time::{Duration, Instant};

use mmfnd_features::{EncoderSpec, Shard, StoreWriter, ValueType};
use mmfnd_pictures::Preprocessing;
use mmfnd_posts::PostSource;

use crate::encoder::Handles;
use crate::error::Error;
use crate::from_preset::FromPreset;
use crate::parts::Flush;
use crate::preset::Preset;
use crate::progress::Progress;
use crate::run::Run;
use crate::scan::Contents;
use crate::session::Device;
use crate::stage::Tools;
use crate::summary::Summary;
use crate::text::Tokens;

/// How to encode.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the arithmetic runs.
    pub device: Device,
    /// Threads; 0 for all cores.
    pub threads: usize,
    /// Whether float32 products run on the processor's matrix tiles (Intel AMX), where it has some; see [`has_tiles`](crate::has_tiles).
    pub tiles: bool,
    /// How values are stored; `None` for the type that the store has, float16 in a new one.
    pub value_type: Option<ValueType>,
    /// Encoders whose features in the store may be thrown away if another model made them.
    pub replace: Vec<String>,
    /// The longest that finished features wait in memory: what a kill can lose.
    pub write_every: Duration,
    /// Most tokens of a batch of texts, padding included; by the device where there is none.
    pub batch_tokens: Option<usize>,
    /// Most pictures of a batch; by the device where there is none.
    pub batch_images: Option<usize>,
    /// Which part of the work; all of it when there is none.
    pub shard: Option<Shard>,
    /// Most bytes of finished features of one encoder that wait in memory.
    pub part_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            threads: 0,
            tiles: true,
            value_type: None,
            replace: Vec::new(),
            write_every: Duration::from_secs(15),
            batch_tokens: None,
            batch_images: None,
            shard: None,
            part_bytes: 32 << 20,
        }
    }
}

/// Where a run's encoders come from: a preset's files, or stand-ins. Encoders go by their number in [`Encoders::specs`].
pub trait Encoders: Sync {
    /// What the store records of each.
    fn specs(&self) -> &[EncoderSpec];
    /// Says before the first batch what is missing or wrong.
    fn check(&self, number: usize) -> Result<(), Error>;
    /// The tokenizer of a text encoder.
    fn tokens(&self, number: usize) -> Result<Tokens, Error>;
    /// The preprocessing of an image encoder.
    fn preprocessing(&self, number: usize) -> Preprocessing;
    /// The file of a classifier that goes with the features.
    fn classifier(&self, number: usize) -> Option<&Path>;
    /// Opens a text encoder; `pad_id` fills up shorter texts.
    fn open_text(&self, number: usize, pad_id: u32) -> Result<Handles<u32>, Error>;
    /// Opens an image encoder.
    fn open_image(&self, number: usize) -> Result<Handles<f32>, Error>;
}

/// Encodes what the posts contain and the store lacks, with the encoders of a preset. Posts of a file ([`PostSource::File`]) are never in memory all at once.
pub fn encode<'a>(
    posts: impl Into<PostSource<'a>>,
    preset: &Preset,
    store: &Path,
    options: &Options,
    on_progress: &dyn Fn(&Progress<'_>),
) -> Result<Summary, Error> {
    if options.device == Device::Cuda {
        // Before the store is made and hours are spent on hashing.
        crate::session::check_cuda()?;
    }
    encode_with(
        posts,
        &FromPreset::new(preset, store, options),
        store,
        options,
        on_progress,
    )
}

/// As [`encode`], with encoders from anywhere.
pub fn encode_with<'a>(
    posts: impl Into<PostSource<'a>>,
    encoders: &dyn Encoders,
    store: &Path,
    options: &Options,
    on_progress: &dyn Fn(&Progress<'_>),
) -> Result<Summary, Error> {
    let started = Instant::now();
    check_replace(encoders, &options.replace)?;
    let tools = tools(options, on_progress)?;
    let posts = posts.into();
    let mut store = StoreWriter::open(store)?;
    store.set_shard(options.shard)?;
    let mut writers = Vec::new();
    for spec in encoders.specs() {
        writers.push(store.encoder(spec, options.replace.contains(&spec.name))?);
    }
    let contents = Contents::read(posts, (store.path(), options.shard), &tools)?;
    let run = Run {
        posts,
        encoders,
        contents: &contents,
        tools: &tools,
    };
    let mut summary = run.encode(&mut store, writers)?;
    summary.time = started.elapsed();
    Ok(summary)
}

fn check_replace(encoders: &dyn Encoders, names: &[String]) -> Result<(), Error> {
    let known: Vec<&str> = encoders
        .specs()
        .iter()
        .map(|spec| spec.name.as_str())
        .collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::UnknownEncoder {
            name: name.clone(),
            known: known.join("`, `"),
        }),
    }
}

fn tools<'a>(
    options: &Options,
    on_progress: &'a dyn Fn(&Progress<'_>),
) -> Result<Tools<'a>, Error> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .thread_name(|number| format!("prepare-{number}"))
        .build()
        .map_err(|error| Error::Threads(error.into()))?;
    Ok(Tools {
        device: options.device,
        batch_tokens: options.batch_tokens,
        batch_images: options.batch_images,
        pool,
        flush: Flush {
            bytes: options.part_bytes,
            every: options.write_every,
        },
        on_progress,
    })
}
