//! Pictures that a ResNet is trained from, decoded as they are needed, each once for as long as there is room.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use mmfnd_features::{Features, Key};
use mmfnd_pictures::{Picture, Preprocessing, Refusal, Rgb};
use mmfnd_posts::Post;
use rayon::prelude::*;

use super::augment::Augment;
use crate::Error;

/// Bytes of decoded pictures that are kept, a byte a value: of 3,500 pictures of 224 x 224.
const ROOM: usize = 512 << 20;

/// The pictures of posts.
#[derive(Debug)]
pub(crate) struct Pixels {
    /// Of each post the number of its picture; none where it has none, or was not asked for.
    numbers: Vec<Option<usize>>,
    files: Vec<(Key, PathBuf)>,
    preprocessing: Preprocessing,
    /// Resized and cropped, `[H, W, 3]`.
    resized: Vec<OnceLock<Vec<u8>>>,
    /// As they were decoded, for those that are varied.
    decoded: Vec<OnceLock<Rgb>>,
    room: AtomicUsize,
}

impl Pixels {
    /// Finds the file of each picture that posts are linked to: names are not trusted, so files are hashed.
    pub fn find(
        features: &Features,
        (posts, rows): (&[Post], &[usize]),
        preprocessing: Preprocessing,
    ) -> Result<Self, Error> {
        let mut wanted: Vec<(Key, usize)> = Vec::new();
        let mut by_key = HashMap::new();
        let mut numbers = vec![None; posts.len()];
        for &row in rows {
            let Some(key) = features.image_key[row] else {
                continue;
            };
            let number = *by_key.entry(key).or_insert_with(|| {
                wanted.push((key, row));
                wanted.len() - 1
            });
            numbers[row] = Some(number);
        }
        let find = |&(key, row): &(Key, usize)| {
            let is_it = |path: &&PathBuf| {
                let bytes = mmfnd_pictures::read(path);
                bytes.is_ok_and(|bytes| Key::of(&bytes) == key)
            };
            let found = posts[row].images.iter().find(is_it);
            let path = found.ok_or_else(|| Error::Picture {
                post: posts[row].id.clone(),
                path: posts[row].images.first().cloned().unwrap_or_default(),
                source: Refusal::Changed,
            })?;
            Ok::<_, Error>((key, path.clone()))
        };
        let files = wanted.par_iter().map(find).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            numbers,
            resized: files.iter().map(|_| OnceLock::new()).collect(),
            decoded: files.iter().map(|_| OnceLock::new()).collect(),
            files,
            preprocessing,
            room: AtomicUsize::new(ROOM),
        })
    }

    /// The number of a post's picture.
    pub fn number_of(&self, post: usize) -> Option<usize> {
        self.numbers[post]
    }

    /// Height, width and channels.
    pub fn shape(&self) -> [usize; 3] {
        let (width, height) = self.preprocessing.input_size();
        [height as usize, width as usize, 3]
    }

    /// The pixels of a post's picture, varied where that is asked for, normalised; why it cannot be read, with its
    /// file.  `[H, W, 3]`
    pub fn read(
        &self,
        post: usize,
        augment: Option<&Augment>,
        out: &mut [f32],
    ) -> Result<(), (PathBuf, Refusal)> {
        let number = self.number_of(post);
        let number = number.expect("only posts with a picture are asked for");
        let bytes = match augment {
            Some(augment) => self.part(number, augment).map(Cow::Owned),
            None => self.whole(number),
        };
        let bytes = bytes.map_err(|refusal| (self.files[number].1.clone(), refusal))?;
        let Preprocessing { mean, std, .. } = &self.preprocessing;
        for (out, pixel) in out.chunks_exact_mut(3).zip(bytes.chunks_exact(3)) {
            for channel in 0..3 {
                let value = f32::from(pixel[channel]) / 255.0;
                out[channel] = (value - mean[channel]) / std[channel];
            }
        }
        Ok(())
    }

    /// Resized as before an encoder.  `[H * W * 3]`
    fn whole(&self, number: usize) -> Result<Cow<'_, [u8]>, Refusal> {
        if let Some(kept) = self.resized[number].get() {
            return Ok(Cow::Borrowed(kept));
        }
        let pixels = match self.decoded[number].get() {
            Some(picture) => self.preprocessing.resized(picture),
            None => self.preprocessing.resized(&self.decode(number)?),
        };
        match self.is_room(pixels.len()) {
            true => Ok(Cow::Borrowed(self.resized[number].get_or_init(|| pixels))),
            false => Ok(Cow::Owned(pixels)),
        }
    }

    /// A part that is drawn.  `[H * W * 3]`
    fn part(&self, number: usize, augment: &Augment) -> Result<Vec<u8>, Refusal> {
        let decoded = match self.decoded[number].get() {
            Some(picture) => Cow::Borrowed(picture),
            None => {
                let picture = self.decode(number)?;
                match self.is_room(picture.data.len()) {
                    true => Cow::Borrowed(self.decoded[number].get_or_init(|| picture)),
                    false => Cow::Owned(picture),
                }
            }
        };
        let part = augment.part(&self.files[number].0, [decoded.width, decoded.height]);
        Ok(self.preprocessing.resized_part(&decoded, &part))
    }

    fn decode(&self, number: usize) -> Result<Rgb, Refusal> {
        let (key, path) = &self.files[number];
        let bytes = mmfnd_pictures::read(path)?;
        if Key::of(&bytes) != *key {
            return Err(Refusal::Changed);
        }
        let picture = Picture::decode(&bytes)?;
        Ok(picture.with(self.preprocessing.alpha).clone())
    }

    /// Takes so many bytes of the room, if there are.
    fn is_room(&self, bytes: usize) -> bool {
        let take = |left: usize| left.checked_sub(bytes);
        let taken = (self.room).try_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.is_ok()
    }
}
