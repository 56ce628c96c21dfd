//! The demo world: a seed comes in; pictures of simple scenes with captions go out as posts, half of them fake for a
//! recorded cause.
//!
//! *Style* can be seen in the text alone, *tamper* in the picture alone, *mismatch* only in the two together, and
//! *overlay* only by reading the picture's text.

mod canvas;
mod caption;
mod draft;
mod landscape;
mod overlay;
mod picture;
mod role;
mod scene;
mod tamper;
mod things;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mmfnd_posts::{Error, Label, Post, atomic, write_posts};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use self::draft::Draft;
use self::role::{Cause, Role};
use self::scene::Scene;

/// How large a world is and which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorldOptions {
    /// Same seed, same world, byte for byte.
    pub seed: u64,
    /// Number of posts.
    pub posts: usize,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            posts: 2400,
        }
    }
}

/// A line of `facts.jsonl`: what is true of a post.
#[derive(Serialize)]
struct Facts<'a> {
    post_id: &'a str,
    /// Relative to the world's folder.
    image: &'a str,
    text: &'a str,
    scene: &'a Scene,
    /// Statements of the text that the picture contradicts.
    contradicted: usize,
    overlay: Option<&'a str>,
    cause: Option<Cause>,
}

/// Writes a world: `images/`, `facts.jsonl` and, last, `posts.parquet`; returns its posts.
///
/// A world that is there already is replaced. Pictures of a larger one stay, unused.
pub fn generate(options: &WorldOptions, out: &Path) -> Result<Vec<Post>, Error> {
    let table = out.join("posts.parquet");
    // While pictures are being replaced there must be no table that goes with other ones.
    match fs::remove_file(&table) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(not_written(&table)(error));
        }
        _ => {}
    }
    let made = write_pictures(options, out, Draft::of)?;
    let folder = std::path::absolute(out).map_err(not_written(out))?;
    let posts: Vec<Post> = made
        .into_iter()
        .map(|made| made.into_post(&folder))
        .collect();
    write_posts(&table, &posts)?;
    Ok(posts)
}

/// Writes scenes without labels to train encoders on: `images/` (none of them tampered with) and `facts.jsonl` (true
/// captions in any wording).
pub fn generate_unlabelled(options: &WorldOptions, out: &Path) -> Result<(), Error> {
    write_pictures(options, out, Draft::unlabelled).map(drop)
}

/// A post whose picture is written.
struct Made {
    id: String,
    image: String,
    role: Role,
    draft: Draft,
}

impl Made {
    fn into_post(self, folder: &Path) -> Post {
        let label = match self.draft.cause {
            Some(_) => Label::Fake,
            None => Label::Real,
        };
        Post {
            id: self.id,
            text: self.draft.text,
            images: vec![folder.join(self.image)],
            label: Some(label),
            split: self.role.split,
            event: Some(self.role.event),
            ocr_text: None,
            cause: self.draft.cause.map(|cause| cause.to_string()),
        }
    }
}

fn write_pictures(
    options: &WorldOptions,
    out: &Path,
    draft: fn(&Role, u64, u64) -> Draft,
) -> Result<Vec<Made>, Error> {
    let images = out.join("images");
    fs::create_dir_all(&images).map_err(not_written(&images))?;
    let roles = role::roles(options.posts, &mut ChaCha8Rng::seed_from_u64(options.seed));
    let numbered: Vec<(u64, Role)> = (0..).zip(roles).collect();
    let made = numbered
        .into_par_iter()
        .map(|(number, role)| {
            let draft = draft(&role, options.seed, number);
            let id = format!("w{}-{number:05}", options.seed);
            let file = draft.file().map_err(not_written(&images))?;
            let image = format!("images/{number:05}.{}", file.extension);
            let path = out.join(&image);
            fs::write(&path, file.bytes).map_err(not_written(&path))?;
            Ok(Made {
                id,
                image,
                role,
                draft,
            })
        })
        .collect::<Result<Vec<Made>, Error>>()?;
    write_facts(&out.join("facts.jsonl"), &made)?;
    Ok(made)
}

fn write_facts(path: &Path, made: &[Made]) -> Result<(), Error> {
    atomic::write(path, |file| {
        for made in made {
            let facts = Facts {
                post_id: &made.id,
                image: &made.image,
                text: &made.draft.text,
                scene: &made.draft.scene,
                contradicted: made.draft.contradictions(),
                overlay: made.draft.overlay.as_deref(),
                cause: made.draft.cause,
            };
            serde_json::to_writer(&mut *file, &facts)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })
}

fn not_written(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path: PathBuf = path.to_owned();
    move |source| Error::Write { path, source }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
