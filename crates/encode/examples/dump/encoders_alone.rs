//! The encoders alone: what a session gives for the batches that [`mmfnd_encode::encode`] forms, all of them in memory
//! already.
//!
//! On the CPU it is the bound that encoding is measured against; nothing is read, prepared or written while the clock
//! runs.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mmfnd_encode::{Budget, Device, Encoders, Error, Handles, Tokens};
use mmfnd_features::{EncoderSpec, Input, Key};
use mmfnd_pictures::Picture;
use mmfnd_posts::Post;

/// What one encoder did.
#[derive(Clone, Debug)]
pub struct Bare {
    /// Name of the encoder.
    pub name: String,
    /// Contents that were encoded.
    pub contents: usize,
    /// From the first batch to the end of the last one.
    pub time: Duration,
}

/// The tokens of one text encoder's batches.
#[derive(Clone, Debug)]
pub struct Padding {
    /// Name of the encoder.
    pub name: String,
    /// Tokens of the texts.
    pub tokens: usize,
    /// Tokens that are computed, what fills up shorter texts included.
    pub computed: usize,
}

/// Runs every distinct text and decodable picture of the posts through the encoders, in batches as large as a run's on
/// that device.
pub fn run(posts: &[Post], encoders: &dyn Encoders, device: Device) -> Result<Vec<Bare>, Error> {
    let [texts, pictures] = match device {
        Device::Cpu => [Budget::TEXTS_ON_CPU, Budget::PICTURES_ON_CPU],
        Device::Cuda => [Budget::TEXTS_ON_GPU, Budget::PICTURES_ON_GPU],
    };
    let mut found = Vec::new();
    for (number, spec) in encoders.specs().iter().enumerate() {
        let (contents, time) = if spec.input == Input::Image {
            let pixels = all_pixels(posts, encoders, number);
            let batches = cut(&pixels, |_| 1, pictures);
            timed(encoders.open_image(number)?, &batches)?
        } else {
            let tokens = encoders.tokens(number)?;
            let ids = all_ids(posts, spec, &tokens)?;
            let batches = cut(&ids, |ids| ids.len() as u32, texts);
            timed(encoders.open_text(number, tokens.pad_id())?, &batches)?
        };
        let name = spec.name.clone();
        found.push(Bare {
            name,
            contents,
            time,
        });
    }
    Ok(found)
}

/// How much of what the text encoders compute is padding; runs nothing.
pub fn padding(posts: &[Post], encoders: &dyn Encoders) -> Result<Vec<Padding>, Error> {
    let mut found = Vec::new();
    for (number, spec) in encoders.specs().iter().enumerate() {
        if spec.input == Input::Image {
            continue;
        }
        let ids = all_ids(posts, spec, &encoders.tokens(number)?)?;
        let batches = cut(&ids, |ids| ids.len() as u32, Budget::TEXTS_ON_CPU);
        let longest = |batch: &Vec<&[u32]>| batch.iter().map(|ids| ids.len()).max();
        let computed = |batch: &Vec<&[u32]>| batch.len() * longest(batch).unwrap_or(0);
        found.push(Padding {
            name: spec.name.clone(),
            tokens: ids.iter().map(Vec::len).sum(),
            computed: batches.iter().map(computed).sum(),
        });
    }
    Ok(found)
}

fn all_ids(posts: &[Post], spec: &EncoderSpec, tokens: &Tokens) -> Result<Vec<Vec<u32>>, Error> {
    let mut texts: Vec<String> = posts.iter().filter_map(|p| spec.input.text(p)).collect();
    texts.sort_unstable();
    texts.dedup();
    let ids = texts.iter().map(|text| tokens.ids(text));
    let ids: Result<Vec<Vec<u32>>, _> = ids.collect();
    ids.map_err(|error| Error::Output {
        encoder: spec.name.clone(),
        content: "a text".into(),
        problem: error.to_string(),
    })
}

/// The picture that stands for each post, each content once.
fn all_pixels(posts: &[Post], encoders: &dyn Encoders, number: usize) -> Vec<Vec<f32>> {
    let preprocessing = encoders.preprocessing(number);
    let mut seen = HashSet::new();
    let first = |post: &Post| {
        post.images.iter().find_map(|path| {
            let bytes = mmfnd_pictures::read(path).ok()?;
            Some((Key::of(&bytes), Picture::decode(&bytes).ok()?))
        })
    };
    let pictures = posts.iter().filter_map(first);
    pictures
        .filter(|(key, _)| seen.insert(*key))
        .filter_map(|(_, picture)| preprocessing.pixels_of(&picture).ok())
        .collect()
}

/// The batches of a run that begins anew.
fn cut<E>(inputs: &[Vec<E>], length: fn(&[E]) -> u32, budget: Budget) -> Vec<Vec<&[E]>> {
    let lengths: Vec<u32> = inputs.iter().map(|input| length(input).max(1)).collect();
    let inputs = |batch: Vec<usize>| {
        batch
            .into_iter()
            .map(|number| inputs[number].as_slice())
            .collect()
    };
    budget.batches(&lengths).into_iter().map(inputs).collect()
}

/// All batches through all handles, after one batch that warms them up.
fn timed<E: Sync>(
    mut handles: Handles<E>,
    batches: &[Vec<&[E]>],
) -> Result<(usize, Duration), Error> {
    if let (Some(handle), Some(batch)) = (handles.first_mut(), batches.last()) {
        handle.encode(batch)?;
    }
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let started = Instant::now();
    thread::scope(|scope| {
        for handle in &mut handles {
            scope.spawn(|| {
                while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = handle.encode(batch) {
                        *failed.lock().unwrap_or_else(|held| held.into_inner()) = Some(error);
                    }
                }
            });
        }
    });
    let time = started.elapsed();
    match failed.into_inner().unwrap_or_else(|held| held.into_inner()) {
        Some(error) => Err(error),
        None => Ok((batches.iter().map(Vec::len).sum(), time)),
    }
}
