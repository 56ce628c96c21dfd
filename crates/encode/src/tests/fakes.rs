//! Encoders without weights that count what they are given, and posts for them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mmfnd_features::{
    ColumnValues, EncoderSpec, Features, Input, Machine, Precision, Store, ValueType, Values,
};
use mmfnd_pictures::{Alpha, CropOffset, Filter, Preprocessing, Resize, View};
use mmfnd_posts::hash::sha256_hex;
use mmfnd_posts::{Post, Split};
use ndarray::Array2;
use safetensors::SafeTensors;
use tokenizers::Tokenizer;

use super::fake_encoder::FakeEncoder;
use crate::{Encoded, Encoder, Encoders, Error, Handles, Options, Summary, Tokens, encode_with};

/// What an encoder of [`Fakes`] does instead of encoding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Gives one row too many.
    Rows,
    /// Gives a value that is no number.
    Nan,
    /// Gives a value beyond float16.
    Large,
    /// Panics.
    Panic,
}

/// What stands for the bytes of a classification layer.
pub const CLASSIFIER: &[u8] = b"weight and bias";

/// What stands for the bytes of the weights that go with maps.
pub const BACKBONE: &[u8] = b"all weights";

/// Shape of the maps.
pub const MAP: [usize; 3] = [3, 2, 2];

/// Two text encoders and two image encoders; rows depend a little on their batch, as in real runtimes.
pub struct Fakes {
    specs: Vec<EncoderSpec>,
    /// Of `bert`'s tokens, where they are wanted.
    token_states: Option<EncoderSpec>,
    /// Of `resnet`'s maps, where they are wanted.
    maps: Option<EncoderSpec>,
    /// How many batches may run before an error that stands for a kill.
    pub lives: Option<usize>,
    /// Name of an encoder and what goes wrong with it.
    pub fault: Option<(&'static str, Fault)>,
    /// Batches that run at once.
    pub handles: usize,
    /// Revisions of preprocessing, of the store and ours.
    pub revisions: Option<(u32, u32)>,
    /// The processor.
    pub processor: Option<&'static str>,
    /// Sizes of the batches that ran, with the encoder's name.
    pub batches: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Fakes {
    pub fn new() -> Self {
        Self::of("1", &["bert", "clip_text", "clip_image", "resnet"])
    }

    /// Some of the four, with a fingerprint.
    pub fn of(fingerprint: &str, names: &[&str]) -> Self {
        let spec = |name: &&str| spec(name, fingerprint);
        Self {
            specs: names.iter().map(spec).collect(),
            token_states: None,
            maps: None,
            lives: None,
            fault: None,
            handles: 1,
            revisions: None,
            processor: None,
            batches: Arc::default(),
        }
    }

    /// `bert` also gives the states of its tokens, `[id, 0, 0]`, of at most so many of a text.
    pub fn with_token_states(mut self, most: usize) -> Self {
        self.token_states = Some(EncoderSpec {
            name: "tokens".into(),
            shape: vec![most, 3],
            ragged: true,
            ..self.specs[0].clone()
        });
        self
    }

    /// `resnet` also gives maps of the shape [`MAP`], and [`BACKBONE`] goes with them.
    pub fn with_maps(mut self) -> Self {
        let resnet = self.specs.iter().find(|spec| spec.name == "resnet");
        self.maps = Some(EncoderSpec {
            name: "resnet_map".into(),
            shape: MAP.to_vec(),
            classifier_sha256: Some(sha256_hex(BACKBONE)),
            ..resnet.unwrap().clone()
        });
        self
    }

    pub fn values(mut self, value_type: ValueType) -> Self {
        self.specs
            .iter_mut()
            .for_each(|spec| spec.value_type = value_type);
        self
    }

    /// With a classification layer, [`CLASSIFIER`], beside ResNet's features.
    pub fn with_classifier(mut self) -> Self {
        let mut specs = self.specs.iter_mut();
        let resnet = specs.find(|spec| spec.name == "resnet").unwrap();
        resnet.classifier_sha256 = Some(sha256_hex(CLASSIFIER));
        self
    }

    /// Contents that an encoder was given.
    pub fn encoded(&self, name: &str) -> usize {
        let batches = self.batches.lock().unwrap();
        batches
            .iter()
            .filter(|(of, _)| of == name)
            .map(|(_, rows)| rows)
            .sum()
    }

    fn open<E>(&self, number: usize) -> Handles<E>
    where
        E: 'static,
        FakeEncoder<E>: Encoder<Input = [E]>,
        E: States,
    {
        let spec = &self.specs[number];
        let fault = self.fault.filter(|(name, _)| *name == spec.name);
        let handle = |dawdles: usize| Counting {
            fault: fault.map(|(_, fault)| fault),
            inner: FakeEncoder::new(spec.clone()).feeling_its_batch(),
            states: self.states(number).map(|states| states.shape.clone()),
            lives: self.lives,
            batches: self.batches.clone(),
            dawdles: Duration::from_millis(3 * dawdles as u64),
        };
        (0..self.handles)
            .map(|number| Box::new(handle(number)) as _)
            .collect()
    }
}

fn spec(name: &str, fingerprint: &str) -> EncoderSpec {
    let (input, shape) = match name {
        "bert" => (Input::TextOcr, vec![2, 3]),
        "clip_text" => (Input::Text, vec![4]),
        "clip_image" => (Input::Image, vec![4]),
        _ => (Input::Image, vec![5]),
    };
    EncoderSpec {
        name: name.to_owned(),
        input,
        shape,
        ragged: false,
        value_type: ValueType::F32,
        fingerprint: fingerprint.to_owned(),
        model: "fake".to_owned(),
        preset: "fake".to_owned(),
        precision: Precision::F32,
        provider: "none".to_owned(),
        classifier_sha256: None,
    }
}

impl Encoders for Fakes {
    fn specs(&self) -> &[EncoderSpec] {
        &self.specs
    }

    fn states(&self, number: usize) -> Option<&EncoderSpec> {
        match self.specs[number].name.as_str() {
            "bert" => self.token_states.as_ref(),
            "resnet" => self.maps.as_ref(),
            _ => None,
        }
    }

    fn check(&self, _number: usize) -> Result<(), Error> {
        Ok(())
    }

    fn earlier_revision(&self, _number: usize, _stored: &EncoderSpec) -> Option<(u32, u32)> {
        self.revisions
    }

    fn machine(&self) -> Result<Option<Machine>, Error> {
        let machine = self.processor.map(|processor| Machine {
            runtime: "fakes".into(),
            processor: processor.into(),
        });
        Ok(machine)
    }

    fn tokens(&self, _number: usize) -> Result<Tokens, Error> {
        Ok(Tokens::new(tokenizer(), 32).unwrap())
    }

    fn preprocessing(&self, number: usize) -> Preprocessing {
        let side = 4 + number as u32;
        Preprocessing {
            alpha: Alpha::Ignored,
            view: View::Picture,
            resize: Resize::Shortest { shortest: side },
            crop: Some(side),
            crop_offset: CropOffset::Floor,
            filter: Filter::Bicubic,
            mean: [0.5; 3],
            std: [0.5; 3],
        }
    }

    fn classifier(&self, number: usize) -> Result<Option<Vec<u8>>, Error> {
        let is_named = self.specs[number].classifier_sha256.is_some();
        Ok(is_named.then(|| CLASSIFIER.to_vec()))
    }

    fn backbone(&self, _number: usize) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.maps.as_ref().map(|_| BACKBONE.to_vec()))
    }

    fn open_text(&self, number: usize, _pad_id: u32) -> Result<Handles<u32>, Error> {
        Ok(self.open(number))
    }

    fn open_image(&self, number: usize) -> Result<Handles<f32>, Error> {
        Ok(self.open(number))
    }
}

/// A WordPiece tokenizer that spells everything by characters.
pub fn tokenizer() -> Tokenizer {
    let letters = ('a'..='z').flat_map(|c| [c.to_string(), format!("##{c}")]);
    let names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(String::from);
    let vocabulary = names.into_iter().chain(letters);
    let vocabulary: std::collections::BTreeMap<String, usize> = vocabulary
        .enumerate()
        .map(|(id, token)| (token, id))
        .collect();
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary,
        },
    });
    json.to_string().parse().unwrap()
}

/// Token ids of a text, as these encoders get them.
pub fn ids(text: &str) -> Vec<u32> {
    Tokens::new(tokenizer(), 32).unwrap().ids(text).unwrap()
}

struct Counting<E> {
    inner: FakeEncoder<E>,
    /// Shape of the states that are given, where some are: of tokens of the most.
    states: Option<Vec<usize>>,
    fault: Option<Fault>,
    lives: Option<usize>,
    batches: Arc<Mutex<Vec<(String, usize)>>>,
    /// How long each batch takes: handles of one encoder differ, so that batches overtake one another.
    dawdles: Duration,
}

impl<E> Encoder for Counting<E>
where
    FakeEncoder<E>: Encoder<Input = [E]>,
    E: States,
{
    type Input = [E];

    fn spec(&self) -> &EncoderSpec {
        self.inner.spec()
    }

    fn encode(&mut self, batch: &[&[E]]) -> Result<Array2<f32>, Error> {
        std::thread::sleep(self.dawdles);
        let mut batches = self.batches.lock().unwrap();
        if self.lives.is_some_and(|lives| batches.len() >= lives) {
            return Err(Error::Output {
                encoder: self.spec().name.clone(),
                content: "a batch".into(),
                problem: "killed".into(),
            });
        }
        batches.push((self.spec().name.clone(), batch.len()));
        let mut values = self.inner.encode(batch)?;
        match self.fault {
            None => {}
            Some(Fault::Rows) => values = Array2::zeros((batch.len() + 1, values.ncols())),
            Some(Fault::Nan) => values[[0, 1]] = f32::NAN,
            Some(Fault::Large) => values[[0, 1]] = 1e5,
            Some(Fault::Panic) => {
                drop(batches);
                panic!("a kernel failed");
            }
        }
        Ok(values)
    }

    fn encode_with_states(&mut self, batch: &[&[E]]) -> Result<Encoded, Error> {
        let rows = self.encode(batch)?;
        let given = rows.outer_iter().zip(batch);
        let states = (self.states.as_ref()).map(|shape| {
            let of = given.map(|(row, inputs)| E::states(inputs, (row[0], rows[[0, 0]]), shape));
            of.collect()
        });
        let states = states.unwrap_or_default();
        Ok(Encoded { rows, states })
    }
}

/// States within an encoder.
trait States: Sized {
    /// Of one content, by the first value of its row and of the batch's first row.
    fn states(inputs: &[Self], values: (f32, f32), shape: &[usize]) -> Vec<f32>;
}

impl States for u32 {
    /// `[id, 0, 0]` of each token, nudged by the batch, as in real runtimes.
    fn states(inputs: &[Self], (_, of_batch): (f32, f32), shape: &[usize]) -> Vec<f32> {
        let inputs = inputs.iter().take(shape[0]);
        inputs
            .flat_map(|id| [*id as f32 + of_batch / 8.0, 0.0, 0.0])
            .collect()
    }
}

impl States for f32 {
    /// Multiples of the row's first value.
    fn states(_: &[Self], (of_row, _): (f32, f32), shape: &[usize]) -> Vec<f32> {
        let places = 0..shape.iter().product();
        places.map(|place| of_row * (1 + place) as f32).collect()
    }
}

/// A post with a text and pictures.
pub fn post(id: &str, text: &str, images: &[&Path]) -> Post {
    Post {
        id: id.to_owned(),
        text: text.to_owned(),
        images: images.iter().map(|path| path.to_path_buf()).collect(),
        label: None,
        split: Split::Test,
        event: None,
        ocr_text: None,
        cause: None,
    }
}

/// Writes a small picture whose colours depend on `seed`.
pub fn picture(folder: &Path, seed: u8) -> PathBuf {
    let path = folder.join(format!("{seed}.png"));
    let pixel =
        |x: u32, y: u32| ::image::Rgb([seed.wrapping_mul(7), (x * 20) as u8, (y * 25) as u8]);
    ::image::RgbImage::from_fn(12, 9, pixel)
        .save(&path)
        .unwrap();
    path
}

/// Runs with every batch in a part of its own.
pub fn run(posts: &[Post], fakes: &Fakes, store: &Path) -> Result<Summary, Error> {
    let options = Options {
        threads: 2,
        write_every: Duration::ZERO,
        ..Options::default()
    };
    encode_with(posts, fakes, store, &options, &|_| {})
}

/// Everything that the store holds of these posts: a row per post and encoder (empty where there is no picture).
pub fn rows(store: &Path, posts: &[Post], names: &[&str]) -> Vec<Vec<Vec<f32>>> {
    let features = Features::load(&Store::open(store).unwrap(), posts, names).unwrap();
    let row = |column: &mmfnd_features::Column, post: usize| {
        let mut row = vec![0.0; column.width()];
        match column.copy_row(post, &mut row) {
            true => row,
            false => Vec::new(),
        }
    };
    let of = |column: &mmfnd_features::Column| {
        assert!(
            matches!(column.values, ColumnValues::Memory(Values::F32(_))),
            "these tests store float32"
        );
        (0..posts.len()).map(|post| row(column, post)).collect()
    };
    features.columns.iter().map(of).collect()
}

/// All four encoders' names.
pub const ALL: [&str; 4] = ["bert", "clip_text", "clip_image", "resnet"];

/// A picture's file among the golden ones.
pub fn golden_picture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/pixels.safetensors");
    let file = std::fs::read(path).expect("it is part of the repository");
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let bytes = tensors.tensor(&format!("{name}.file")).unwrap();
    bytes.data().to_vec()
}
