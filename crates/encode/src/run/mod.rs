//! Posts and encoders come in; what the store lacks is encoded and goes into it, then the posts are linked to it. A
//! sample of what is stored can be encoded again and compared.

mod identity;
mod links;
mod read_only;
mod sample;
mod whole_run;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use mmfnd_features::{EncoderSpec, StoreWriter};
use mmfnd_posts::PostSource;

use crate::contents::Contents;
use crate::encoder::Encoders;
use crate::error::Error;
use crate::onnx::{FromPreset, check_cuda};
use crate::options::{Device, Options};
use crate::preset::{MAPS, Preset, TOKENS};
use crate::progress::Progress;
use crate::stage::{StageOptions, Summary, WriteWhen};
use crate::workers::Workers;

use identity::explained;
pub use sample::{Limit, Sample, Sampled, check_sample, check_sample_with};
use whole_run::Run;

/// Encodes what the posts contain and the store lacks, with the encoders of a preset. Posts of a file
/// ([`PostSource::File`]) are never in memory all at once.
pub fn encode<'a>(
    posts: impl Into<PostSource<'a>>,
    preset: &Preset,
    store: &Path,
    options: &Options,
    on_progress: &dyn Fn(&Progress<'_>),
) -> Result<Summary, Error> {
    if options.device == Device::Cuda {
        // Before the store is made and hours are spent on hashing.
        check_cuda()?;
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
    let options_of_stages = stage_options(options, on_progress)?;
    let posts = posts.into();
    let mut store = match StoreWriter::open(store) {
        Err(refused) if refused.is_write_refused() => {
            let asked = (posts, encoders, options.shard);
            let mut summary = read_only::look((store, refused), asked, &options_of_stages)?;
            summary.time = started.elapsed();
            return Ok(summary);
        }
        opened => opened?,
    };
    store.set_shard(options.shard)?;
    let mut writers = Vec::new();
    let mut state_writers = BTreeMap::new();
    for (number, spec) in encoders.specs().iter().enumerate() {
        let mut open = |spec: &EncoderSpec| {
            let writer = store.encoder(spec, options.replace.contains(&spec.name));
            writer.map_err(|error| explained(error, (encoders, number), store.path()))
        };
        writers.push(open(spec)?);
        if let Some(spec) = encoders.states(number) {
            state_writers.insert(number, open(spec)?);
        }
    }
    for (name, is_wanted) in [(TOKENS, options.tokens.is_some()), (MAPS, options.maps)] {
        if is_wanted && !names(encoders).contains(&name) {
            return Err(Error::UnknownEncoder {
                name: name.to_owned(),
                known: names(encoders).join("`, `"),
            });
        }
    }
    let contents = Contents::read(
        posts,
        (store.path(), options.shard),
        &options_of_stages.workers,
    )?;
    let run = Run {
        posts,
        encoders,
        contents: &contents,
        options: &options_of_stages,
    };
    let mut summary = run.encode(&mut store, (writers, state_writers))?;
    summary.time = started.elapsed();
    Ok(summary)
}

/// Names of the features that encoders make.
fn names(encoders: &dyn Encoders) -> Vec<&str> {
    let features = encoders.features().into_iter();
    features.map(|(_, spec)| spec.name.as_str()).collect()
}

fn check_replace(encoders: &dyn Encoders, names: &[String]) -> Result<(), Error> {
    let known = self::names(encoders);
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::UnknownEncoder {
            name: name.clone(),
            known: known.join("`, `"),
        }),
    }
}

fn stage_options<'a>(
    options: &Options,
    on_progress: &'a dyn Fn(&Progress<'_>),
) -> Result<StageOptions<'a>, Error> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .thread_name(|number| format!("prepare-{number}"))
        .build()
        .map_err(|error| Error::Threads(error.into()))?;
    Ok(StageOptions {
        workers: Workers { pool, on_progress },
        device: options.device,
        batch_tokens: options.batch_tokens,
        batch_images: options.batch_images,
        write_when: WriteWhen {
            bytes: options.part_bytes,
            every: options.write_every,
        },
    })
}
