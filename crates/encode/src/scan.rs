//! What the posts contain: the hash of every text and of every picture's file. Nothing is decoded here.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mmfnd_features::Key;
use mmfnd_posts::Post;
use rayon::prelude::*;

use crate::decode::{self, Refusal};
use crate::progress::{Clocks, Progress};
use crate::stage::Tools;

/// Files that are hashed between two reports.
const CHUNK: usize = 256;

/// Hashes of everything that the posts contain.
pub(crate) struct Contents<'a> {
    /// Key of each post's text.
    pub(crate) text: Vec<Key>,
    /// Key of each post's text with the text found in its picture.
    pub(crate) text_ocr: Vec<Key>,
    /// The distinct picture files.
    pub(crate) files: Vec<&'a Path>,
    /// Key of each file, or why it cannot be a picture.
    pub(crate) hashes: Vec<Result<Key, Refusal>>,
    /// Numbers of the files of all posts, one post after the other.
    candidates: Vec<u32>,
    /// Where each post's numbers end.
    ends: Vec<u32>,
}

impl<'a> Contents<'a> {
    /// Hashes texts and files; file times are not trusted, so every file is read.
    pub(crate) fn read(posts: &'a [Post], tools: &Tools<'_>) -> Self {
        let (text, text_ocr) = tools.pool.install(|| {
            let keys = |post: &Post| {
                (
                    Key::of(post.text.as_bytes()),
                    Key::of(post.encoder_text().as_bytes()),
                )
            };
            posts.par_iter().map(keys).unzip()
        });
        let mut contents = Self {
            text,
            text_ocr,
            files: Vec::new(),
            hashes: Vec::new(),
            candidates: Vec::new(),
            ends: Vec::with_capacity(posts.len()),
        };
        contents.list_files(posts);
        contents.hash_files(tools);
        contents
    }

    /// How many posts there are.
    pub(crate) fn posts(&self) -> usize {
        self.ends.len()
    }

    /// Numbers of a post's files, in the order in which they are tried.
    pub(crate) fn candidates(&self, post: usize) -> &[u32] {
        let start = match post {
            0 => 0,
            _ => self.ends[post - 1],
        };
        &self.candidates[start as usize..self.ends[post] as usize]
    }

    fn list_files(&mut self, posts: &'a [Post]) {
        let mut numbers: HashMap<&PathBuf, u32> = HashMap::new();
        for post in posts {
            for path in &post.images {
                let files = &mut self.files;
                let number = *numbers.entry(path).or_insert_with(|| {
                    files.push(path);
                    (files.len() - 1) as u32
                });
                self.candidates.push(number);
            }
            self.ends.push(self.candidates.len() as u32);
        }
    }

    fn hash_files(&mut self, tools: &Tools<'_>) {
        let clocks = Clocks::default();
        let started = Instant::now();
        let total = self.files.len();
        for chunk in self.files.chunks(CHUNK) {
            let hash = |file: &&Path| hash_file(file, &clocks);
            let hashed: Vec<_> = tools.pool.install(|| chunk.par_iter().map(hash).collect());
            self.hashes.extend(hashed);
            let done = self.hashes.len();
            let elapsed = started.elapsed();
            (tools.on_progress)(&Progress {
                stage: "hash",
                done: done as u64,
                total: total as u64,
                tokens: 0,
                computed_tokens: 0,
                images: done as u64,
                elapsed,
                times: clocks.times(),
                eta: Some(time_to_go(elapsed, done, total)),
            });
        }
    }
}

fn hash_file(file: &Path, clocks: &Clocks) -> Result<Key, Refusal> {
    let bytes = clocks.read.time(|| decode::read(file))?;
    clocks.prepare.time(|| {
        decode::probe(&bytes)?;
        Ok(Key::of(&bytes))
    })
}

/// At the speed so far.
pub(crate) fn time_to_go(elapsed: Duration, done: usize, total: usize) -> Duration {
    let left = total.saturating_sub(done) as f64;
    elapsed.mul_f64(left / done.max(1) as f64)
}
