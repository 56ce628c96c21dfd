//! The stage of all image encoders together: a picture is read and decoded once for all of them.
//!
//! A post's pictures are tried in its own order until one decodes. Whether one does is known only after decoding, so the
//! stage goes in rounds: first choices, then the second choices of posts whose first one failed, and so on.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use mmfnd_features::{EncoderWriter, Key, KeySet};
use mmfnd_pictures::{Picture, Preprocessing, Refusal};

use crate::batches::{Budget, Item};
use crate::encode::Encoders;
use crate::error::Error;
use crate::progress::Clocks;
use crate::scan::Contents;
use crate::stage::{self, Lane, Prepared, Ran, Tools, Work};

/// More than eight pictures at a time gain nothing on a core.
pub(crate) const ON_CPU: Budget = Budget {
    area: 8,
    rows: 8,
    enough: 8,
};

/// Some 20 MB of pixels per encoder and batch.
pub(crate) const ON_GPU: Budget = Budget {
    area: 32,
    rows: 32,
    enough: 32,
};

/// Which pictures can be used, as far as it is known.
pub(crate) struct Choices<'a> {
    contents: &'a Contents,
    /// Decoded at least once, now or in an earlier run.
    known: HashSet<Key>,
    refused: HashMap<Key, Refusal>,
}

/// A post's picture, as far as it is known.
pub(crate) enum Choice {
    /// It has none, or none of them can be used.
    Nothing,
    /// The number of the file that stands for it.
    File(u32),
    /// The number of the file that has to be tried next.
    Try(u32),
}

impl<'a> Choices<'a> {
    /// `known` are pictures that were decoded before.
    pub(crate) fn new(contents: &'a Contents, known: HashSet<Key>) -> Self {
        Self {
            contents,
            known,
            refused: HashMap::new(),
        }
    }

    /// The picture of a post.
    pub(crate) fn of(&self, post: usize) -> Choice {
        for &file in self.contents.candidates(post) {
            match &self.contents.hashes[file as usize] {
                Ok(key) if self.refused.contains_key(key) => {}
                Ok(key) if self.known.contains(key) => return Choice::File(file),
                Ok(_) => return Choice::Try(file),
                Err(_) => {}
            }
        }
        Choice::Nothing
    }

    /// Whether some file that may be a picture of this run's posts is not among these.
    pub(crate) fn any_missing(&self, present: &KeySet) -> bool {
        let hash = |file: &u32| self.contents.hashes[*file as usize].as_ref().ok();
        let mut posts = self.contents.our_posts();
        posts.any(|post| {
            let mut keys = self.contents.candidates(post).iter().filter_map(hash);
            keys.any(|key| !present.contains(key))
        })
    }

    /// Why a file is not used, if it is not.
    pub(crate) fn refusal(&self, file: u32) -> Option<&Refusal> {
        match &self.contents.hashes[file as usize] {
            Ok(key) => self.refused.get(key),
            Err(refusal) => Some(refusal),
        }
    }

    /// The contents that the next round has to look at: undecided ones, and chosen ones that an encoder lacks.
    fn wanted(&self, writers: &[EncoderWriter]) -> Vec<Item> {
        let mut seen = HashSet::new();
        let mut items = Vec::new();
        for post in self.contents.our_posts() {
            let (file, is_known) = match self.of(post) {
                Choice::Nothing => continue,
                Choice::File(file) => (file, true),
                Choice::Try(file) => (file, false),
            };
            let Ok(key) = &self.contents.hashes[file as usize] else {
                continue;
            };
            if !seen.insert(*key) {
                continue;
            }
            let lacks = |(lane, writer): (usize, &EncoderWriter)| {
                u32::from(!writer.present().contains(key)) << lane
            };
            let lacking = writers.iter().enumerate().map(lacks).sum();
            if !is_known || lacking != 0 {
                items.push(Item {
                    key: *key,
                    source: file,
                    length: 1,
                    weight: self.contents.pixels[file as usize],
                    lacking,
                });
            }
        }
        items
    }

    fn learn(&mut self, ran: &mut Ran) {
        self.known.extend(ran.used.drain(..));
        self.refused.extend(ran.refused.drain(..));
    }
}

/// What the stage did.
pub(crate) struct PicturesRan {
    /// Rows that each encoder got.
    pub(crate) rows: Vec<usize>,
    pub(crate) time: Duration,
}

impl PicturesRan {
    fn add(&mut self, ran: &Ran) {
        for (sum, rows) in self.rows.iter_mut().zip(&ran.rows) {
            *sum += rows;
        }
        self.time += ran.time;
    }
}

/// Decodes every picture whose use is undecided and encodes what is missing; `numbers` are the encoders' numbers.
pub(crate) fn encode(
    choices: &mut Choices<'_>,
    (encoders, numbers): (&dyn Encoders, &[usize]),
    writers: &mut [EncoderWriter],
    tools: &Tools<'_>,
) -> Result<PicturesRan, Error> {
    let name = stage_name(writers);
    let mut lanes = lanes((encoders, numbers), writers);
    let preprocessings = numbers.iter().map(|number| encoders.preprocessing(*number));
    let preprocessings: Vec<Preprocessing> = preprocessings.collect();
    let contents = choices.contents;
    let clocks = Clocks::default();
    let mut total = PicturesRan {
        rows: vec![0; writers.len()],
        time: Duration::ZERO,
    };
    loop {
        let wanted = choices.wanted(writers);
        if wanted.is_empty() {
            break;
        }
        let budget = tools.budget(ON_CPU, ON_GPU).with_area(tools.batch_images);
        let work = Work {
            name: &name,
            counts_tokens: false,
            batches: stage::plan(wanted, budget, writers)?,
            prepare: |item: &Item| Ok(prepare(contents, item, &preprocessings, &clocks)),
            name_of: &|item| format!("`{}`", contents.files[item.source as usize].display()),
            clocks: &clocks,
        };
        let mut ran = stage::run(&work, &mut lanes, writers, tools)?;
        total.add(&ran);
        choices.learn(&mut ran);
    }
    for writer in writers {
        writer.clear_plan()?;
    }
    Ok(total)
}

/// The encoders' names; without any, pictures are still decoded to find out which can be used.
fn stage_name(writers: &[EncoderWriter]) -> String {
    let names: Vec<&str> = writers.iter().map(|w| w.spec().name.as_str()).collect();
    match names.is_empty() {
        true => "decode".to_owned(),
        false => names.join("+"),
    }
}

fn lanes<'a>(
    (encoders, numbers): (&'a dyn Encoders, &[usize]),
    writers: &[EncoderWriter],
) -> Vec<Lane<'a, f32>> {
    let pairs = numbers.iter().zip(writers);
    pairs
        .map(|(&number, writer)| Lane {
            spec: writer.spec().clone(),
            open: Box::new(move || encoders.open_image(number)),
            opened: Vec::new(),
        })
        .collect()
}

fn prepare(
    contents: &Contents,
    item: &Item,
    preprocessings: &[Preprocessing],
    clocks: &Clocks,
) -> Prepared<f32> {
    let bytes = clocks
        .read
        .time(|| mmfnd_pictures::read(&contents.files[item.source as usize]))?;
    clocks.prepare.time(|| {
        if Key::of(&bytes) != item.key {
            return Err(Refusal::Changed);
        }
        let picture = Picture::decode(&bytes)?;
        let pixels = preprocessings
            .iter()
            .enumerate()
            .map(|(lane, preprocessing)| {
                if item.lacking & (1 << lane) == 0 {
                    return Vec::new();
                }
                preprocessing.pixels(picture.with(preprocessing.alpha))
            });
        Ok(pixels.collect())
    })
}
