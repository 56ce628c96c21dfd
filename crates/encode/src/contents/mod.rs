//! Posts come in; out go the distinct contents of them: the hash of every text and of every picture's file. Nothing is
//! decoded here.

mod post_texts;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use mmfnd_features::{Input, Key, Shard};
use mmfnd_pictures::Refusal;
use mmfnd_posts::{Post, PostSource};
use rayon::prelude::*;

use crate::error::Error;
use crate::progress::{Clocks, Progress, Share};
use crate::workers::Workers;
use post_texts::{Gathering, PostTexts};

/// Files that are hashed between two reports.
const CHUNK: usize = 256;

/// What finding and opening a file costs, in bytes of hashing.
const OPENING: u64 = 4096;

/// Hashes of everything that the posts contain, and their texts; of a post some 40 bytes are in memory.
pub(crate) struct Contents {
    /// The texts themselves.
    pub(crate) texts: PostTexts,
    /// Key of each post's text.
    text: Vec<Key>,
    /// Key of each post's text with the text found in its picture; empty where there is none in any.
    text_ocr: Vec<Key>,
    /// The distinct picture files.
    pub(crate) files: Vec<PathBuf>,
    /// Key of each file, or why it cannot be a picture.
    pub(crate) hashes: Vec<Result<Key, Refusal>>,
    /// Pixels of each file by its header, 0 where it cannot be a picture.
    pub(crate) pixels: Vec<u32>,
    /// Numbers of the files of all posts, one post after the other.
    candidates: Vec<u32>,
    /// Where each post's numbers end.
    ends: Vec<u32>,
    shard: Option<Shard>,
}

impl Contents {
    /// Hashes texts and files; file times are not trusted, so every file is read. Many texts go to a nameless file in
    /// `folder`.
    pub(crate) fn read(
        posts: PostSource<'_>,
        (folder, shard): (&Path, Option<Shard>),
        workers: &Workers<'_>,
    ) -> Result<Self, Error> {
        let mut texts = Gathering::new(folder);
        let mut contents = Self {
            texts: PostTexts::default(),
            text: Vec::new(),
            text_ocr: Vec::new(),
            files: Vec::new(),
            hashes: Vec::new(),
            pixels: Vec::new(),
            candidates: Vec::new(),
            ends: Vec::new(),
            shard,
        };
        let mut numbers = HashMap::new();
        posts.for_each(|posts| {
            texts.add(posts)?;
            contents.add_texts(posts, workers);
            contents.add_files(posts, &mut numbers);
            Ok::<(), Error>(())
        })?;
        contents.texts = texts.finish();
        contents.hash_files(workers);
        Ok(contents)
    }

    /// How many posts there are.
    pub(crate) fn posts(&self) -> usize {
        self.ends.len()
    }

    /// Key of the text that an encoder with this input sees of a post.
    pub(crate) fn text(&self, post: usize, input: Input) -> Key {
        match input {
            Input::TextOcr if !self.text_ocr.is_empty() => self.text_ocr[post],
            _ => self.text[post],
        }
    }

    /// Whether a text is encoded in this run.
    pub(crate) fn is_our_text(&self, key: &Key) -> bool {
        self.shard.is_none_or(|shard| shard.holds(key))
    }

    /// Whether a post's picture and link are made in this run. A post belongs to the shard of its first picture (by its
    /// bytes, whether or not it decodes), so that one shard decides which of its pictures stands for it; without any,
    /// to that of its text.
    pub(crate) fn is_our_post(&self, post: usize) -> bool {
        let hashes = self.candidates(post).iter();
        let mut hashes = hashes.filter_map(|&file| self.hashes[file as usize].as_ref().ok());
        let home = hashes.next().unwrap_or(&self.text[post]);
        self.shard.is_none_or(|shard| shard.holds(home))
    }

    /// Numbers of the posts whose pictures and links are made in this run.
    pub(crate) fn our_posts(&self) -> impl Iterator<Item = usize> {
        (0..self.posts()).filter(|&post| self.is_our_post(post))
    }

    /// Whether these are the contents of the post of this number.
    pub(crate) fn are_of(&self, number: usize, post: &Post) -> bool {
        let key = |text: &str| Key::of(text.as_bytes());
        let files = self.candidates(number).iter();
        self.text(number, Input::Text) == key(&post.text)
            && self.text(number, Input::TextOcr) == key(&post.encoder_text())
            && files
                .map(|&file| &self.files[file as usize])
                .eq(&post.images)
    }

    /// Numbers of a post's files, in the order in which they are tried.
    pub(crate) fn candidates(&self, post: usize) -> &[u32] {
        let start = match post {
            0 => 0,
            _ => self.ends[post - 1],
        };
        &self.candidates[start as usize..self.ends[post] as usize]
    }

    fn add_texts(&mut self, posts: &[Post], workers: &Workers<'_>) {
        let keys = |post: &Post| {
            let text = Key::of(post.text.as_bytes());
            match &post.ocr_text {
                None => (text, text),
                Some(_) => (text, Key::of(post.encoder_text().as_bytes())),
            }
        };
        let keys: Vec<(Key, Key)> = workers
            .pool
            .install(|| posts.par_iter().map(keys).collect());
        if self.text_ocr.is_empty() && keys.iter().any(|(text, text_ocr)| text != text_ocr) {
            self.text_ocr.clone_from(&self.text);
        }
        let is_one = self.text_ocr.is_empty() && keys.iter().all(|(text, ocr)| text == ocr);
        if !is_one {
            self.text_ocr
                .extend(keys.iter().map(|(_, text_ocr)| text_ocr));
        }
        self.text.extend(keys.iter().map(|(text, _)| text));
    }

    /// `numbers` are those of the files by a hash of their path.
    fn add_files(&mut self, posts: &[Post], numbers: &mut HashMap<Key, u32>) {
        for post in posts {
            for path in &post.images {
                let files = &mut self.files;
                let name = Key::of(path.as_os_str().as_encoded_bytes());
                let number = *numbers.entry(name).or_insert_with(|| {
                    files.push(path.clone());
                    (files.len() - 1) as u32
                });
                self.candidates.push(number);
            }
            self.ends.push(self.candidates.len() as u32);
        }
    }

    fn hash_files(&mut self, workers: &Workers<'_>) {
        let clocks = Clocks::default();
        let started = Instant::now();
        let total = self.files.len();
        let size = |file: &PathBuf| mmfnd_pictures::size(file).unwrap_or(0) + OPENING;
        let all_costs: u64 = workers
            .pool
            .install(|| self.files.par_iter().map(size).sum());
        for chunk in self.files.chunks(CHUNK) {
            let hash = |file: &PathBuf| hash_file(file, &clocks);
            let hashed: Vec<_> = workers
                .pool
                .install(|| chunk.par_iter().map(hash).collect());
            for hashed in hashed {
                let (hash, pixels) =
                    hashed.map_or_else(|error| (Err(error), 0), |(key, pixels)| (Ok(key), pixels));
                self.hashes.push(hash);
                self.pixels.push(pixels);
            }
            let done = self.hashes.len() as u64;
            let costs = Share::new(clocks.prepared.get() + done * OPENING, all_costs);
            let elapsed = started.elapsed();
            (workers.on_progress)(&Progress {
                stage: "hash",
                done,
                total: total as u64,
                tokens: 0,
                computed_tokens: 0,
                images: done,
                elapsed,
                times: clocks.times(),
                token_states: None,
                maps: None,
                eta: Some(elapsed.mul_f64(costs.left())),
            });
        }
    }
}

/// Key and pixels of a file.
fn hash_file(file: &Path, clocks: &Clocks) -> Result<(Key, u32), Refusal> {
    let bytes = clocks.read.time(|| mmfnd_pictures::read(file))?;
    clocks.prepared.add(bytes.len() as u32);
    clocks.prepare.time(|| {
        // No more than `MAX_PIXELS`.
        let (width, height) = mmfnd_pictures::probe(&bytes)?;
        Ok((Key::of(&bytes), width.saturating_mul(height)))
    })
}
