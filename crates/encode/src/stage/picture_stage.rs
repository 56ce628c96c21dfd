//! The stage of all image encoders together: a picture is read and decoded once for all of them.
//!
//! A post's pictures are tried in its own order until one decodes. Whether one does is known only after decoding, so
//! the stage goes in rounds: first choices, then the second choices of posts whose first one failed, and so on.

use std::time::Duration;

use mmfnd_features::{EncoderWriter, Key};
use mmfnd_pictures::{Picture, Preprocessing, Refusal};

use super::choices::Choices;
use super::pipeline;
use super::work::{Prepared, Stage, StageEncoder, StageOptions, StageResult};
use crate::contents::Contents;
use crate::encoder::Encoders;
use crate::error::Error;
use crate::plan::{Budget, MissingContent, write_plan};
use crate::progress::{Clocks, Maps};

/// What the stage did.
pub(crate) struct PicturesResult {
    /// Rows that each encoder got.
    pub(crate) rows: Vec<usize>,
    pub(crate) time: Duration,
}

impl PicturesResult {
    fn add(&mut self, result: &StageResult) {
        for (sum, rows) in self.rows.iter_mut().zip(&result.rows) {
            *sum += rows;
        }
        self.time += result.time;
    }
}

/// Decodes every picture whose use is undecided and encodes what is missing; `numbers` are the encoders' numbers.
/// Behind the writers of the encoders come those of their maps, which come from the same passes, in the encoders'
/// order.
pub(crate) fn encode_pictures(
    choices: &mut Choices<'_>,
    (encoders, numbers): (&dyn Encoders, &[usize]),
    writers: &mut [EncoderWriter],
    options: &StageOptions<'_>,
) -> Result<PicturesResult, Error> {
    let name = stage_name(writers);
    let mut stage_encoders = stage_encoders((encoders, numbers), writers);
    let own = stage_encoders.iter().enumerate();
    let own = own.map(|(number, encoder)| {
        let states = encoder.states.as_ref();
        (1 << number) | states.map_or(0, |(number, _)| 1 << number)
    });
    let own: Vec<u32> = own.collect();
    let preprocessings = numbers.iter().map(|number| encoders.preprocessing(*number));
    let preprocessings: Vec<Preprocessing> = preprocessings.collect();
    let contents = choices.contents;
    let clocks = Clocks::default();
    let mut total = PicturesResult {
        rows: vec![0; writers.len()],
        time: Duration::ZERO,
    };
    loop {
        let wanted = choices.wanted(writers);
        if wanted.is_empty() {
            break;
        }
        let lacking = wanted.iter().fold(0, |all, item| all | item.lacking);
        set_machine(encoders, lacking, writers)?;
        let maps = maps(&wanted, &writers[numbers.len()..], numbers.len());
        let budget = options
            .budget(Budget::PICTURES_ON_CPU, Budget::PICTURES_ON_GPU)
            .with_area(options.batch_images);
        let stage = Stage {
            name: &name,
            counts_tokens: false,
            batches: write_plan(wanted, budget, writers)?,
            token_states: None,
            maps,
            prepare: |item: &MissingContent| {
                let wanted = preprocessings.iter().zip(&own);
                Ok(prepare(contents, item, wanted, &clocks))
            },
            name_of: &|item| format!("`{}`", contents.files[item.source as usize].display()),
            clocks: &clocks,
        };
        let mut result = pipeline::run(&stage, &mut stage_encoders, writers, options)?;
        total.add(&result);
        choices.learn(&mut result);
    }
    for writer in writers {
        writer.clear_plan()?;
    }
    Ok(total)
}

/// Says what those encoders run on that some picture lacks.
fn set_machine(
    encoders: &dyn Encoders,
    lacking: u32,
    writers: &mut [EncoderWriter],
) -> Result<(), Error> {
    let numbered = writers.iter_mut().enumerate();
    for (_, writer) in numbered.filter(|(number, _)| lacking & (1 << number) != 0) {
        if let Some(machine) = encoders.machine()? {
            writer.set_machine(machine);
        }
    }
    Ok(())
}

/// The encoders' names; without any, pictures are still decoded to find out which can be used.
fn stage_name(writers: &[EncoderWriter]) -> String {
    let names: Vec<&str> = writers.iter().map(|w| w.spec().name.as_str()).collect();
    match names.is_empty() {
        true => "decode".to_owned(),
        false => names.join("+"),
    }
}

fn stage_encoders<'a>(
    (encoders, numbers): (&'a dyn Encoders, &[usize]),
    writers: &[EncoderWriter],
) -> Vec<StageEncoder<'a, f32>> {
    let mut behind = (numbers.len()..).zip(&writers[numbers.len()..]);
    let pairs = numbers.iter().zip(writers);
    pairs
        .map(|(&number, writer)| StageEncoder {
            spec: writer.spec().clone(),
            states: (encoders.states(number).and_then(|_| behind.next()))
                .map(|(number, writer)| (number, writer.spec().clone())),
            open: Box::new(move || encoders.open_image(number)),
            opened: Vec::new(),
        })
        .collect()
}

/// The maps that some pictures lack; their writers stand behind `before` others.
fn maps(wanted: &[MissingContent], writers: &[EncoderWriter], before: usize) -> Option<Maps> {
    let lacking = (before..).zip(writers).map(|(number, writer)| {
        let lacking = wanted
            .iter()
            .filter(|item| item.lacking & (1 << number) != 0);
        let pictures = lacking.count() as u64;
        let spec = writer.spec();
        let bytes = pictures * (spec.width() * spec.value_type.bytes()) as u64;
        (pictures, bytes)
    });
    let (pictures, bytes) = lacking.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    (pictures > 0).then_some(Maps { pictures, bytes })
}

/// Pixels for each encoder of which a picture lacks what these bits say.
fn prepare<'a>(
    contents: &Contents,
    item: &MissingContent,
    wanted: impl Iterator<Item = (&'a Preprocessing, &'a u32)>,
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
        let pixels = wanted.map(|(preprocessing, own)| {
            if item.lacking & own == 0 {
                return Ok(Vec::new());
            }
            preprocessing.pixels_of(&picture)
        });
        pixels.collect()
    })
}
