//! Every distinct picture once, on many threads.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mmfnd_features::Key;
use mmfnd_pictures::{Alpha, Picture, Refusal};
use mmfnd_posts::Post;
use rayon::prelude::*;

use super::cache::Cache;
use super::error::OcrError;
use super::page::pages;
use super::summary::{OcrReject, OcrSummary};
use super::tesseract::{Reading, Tesseract};

/// What was made of a file or of a content; the first thread that asks makes it, others wait.
type Cell = OnceLock<Reading>;

pub(super) struct Reader {
    tesseract: Tesseract,
    cache: Cache,
    /// By path.
    files: HashMap<PathBuf, Cell>,
    /// By content: the same picture has many names.
    contents: Mutex<HashMap<Key, Arc<Cell>>>,
    read: AtomicUsize,
    cached: AtomicUsize,
    /// What ended the run, if something did.
    failure: OnceLock<OcrError>,
}

impl Reader {
    pub(super) fn new(tesseract: Tesseract, cache: Cache, posts: &[Post]) -> Self {
        let paths = posts.iter().flat_map(|post| &post.images);
        Self {
            tesseract,
            cache,
            files: paths.map(|path| (path.clone(), Cell::new())).collect(),
            contents: Mutex::default(),
            read: AtomicUsize::new(0),
            cached: AtomicUsize::new(0),
            failure: OnceLock::new(),
        }
    }

    /// Tries each post's pictures in their order until one can be read.
    pub(super) fn read_all(&self, posts: &[Post], on_progress: &(dyn Fn(usize, usize) + Sync)) {
        let mut seen = HashSet::new();
        let lists = posts.iter().map(|post| post.images.as_slice());
        let lists: Vec<&[PathBuf]> = lists
            .filter(|list| !list.is_empty() && seen.insert(*list))
            .collect();
        let done = AtomicUsize::new(0);
        on_progress(0, lists.len());
        lists.par_iter().for_each(|list| {
            let mut files = list.iter();
            files.any(|path| {
                let cell = &self.files[path];
                cell.get_or_init(|| self.read_file(path)).is_ok()
            });
            on_progress(done.fetch_add(1, Ordering::Relaxed) + 1, lists.len());
        });
    }

    /// The text of each post's picture (`None` where none can be read), and what was done.
    pub(super) fn outcome(
        mut self,
        posts: &[Post],
    ) -> Result<(Vec<Option<String>>, OcrSummary), OcrError> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        let mut summary = OcrSummary {
            posts: posts.len(),
            read: self.read.into_inner(),
            cached: self.cached.into_inner(),
            ..OcrSummary::default()
        };
        let mut listed: HashSet<&Path> = HashSet::new();
        let mut texts = Vec::with_capacity(posts.len());
        for post in posts {
            let mut text = None;
            for path in &post.images {
                match self.files[path].get() {
                    Some(Ok(found)) => text = Some(found.clone()),
                    Some(Err(reason)) if listed.insert(path) => summary.rejects.push(OcrReject {
                        post_id: post.id.clone(),
                        path: path.clone(),
                        reason: reason.clone(),
                    }),
                    _ => {}
                }
                if text.is_some() {
                    break;
                }
            }
            texts.push(text);
        }
        Ok((texts, summary))
    }

    fn read_file(&self, path: &Path) -> Reading {
        let bytes = mmfnd_pictures::read(path).map_err(|refusal| refusal.to_string())?;
        let key = Key::of(&bytes);
        let cell = {
            let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
            contents.entry(key).or_default().clone()
        };
        cell.get_or_init(|| self.read_picture(key, &bytes)).clone()
    }

    fn read_picture(&self, key: Key, bytes: &[u8]) -> Reading {
        if let Some(text) = self.cache.get(key) {
            self.cached.fetch_add(1, Ordering::Relaxed);
            return Ok(text.to_owned());
        }
        if self.failure.get().is_some() {
            return Err("not tried: the run had failed".to_owned());
        }
        let pages = decoded_pages(bytes)?;
        let reading = self.tesseract.read(&pages);
        let kept = reading.and_then(|reading| {
            if let Ok(text) = &reading {
                self.cache.keep(key, text)?;
                self.read.fetch_add(1, Ordering::Relaxed);
            }
            Ok(reading)
        });
        kept.unwrap_or_else(|error| {
            // The first failure is the one that is reported.
            let _ = self.failure.set(error);
            Err("the run failed here".to_owned())
        })
    }
}

fn decoded_pages(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let said = |refusal: Refusal| refusal.to_string();
    // Text on a transparent ground is meant to be read on white.
    let picture = Picture::decode(bytes).map_err(said)?;
    Ok(pages(picture.with(Alpha::White)))
}
