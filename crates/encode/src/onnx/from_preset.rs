//! A preset's encoders, opened with ONNX Runtime when they are needed.

use std::path::Path;

use mmfnd_features::{EncoderSpec, Input, Machine, Store, ValueType};
use mmfnd_pictures::Preprocessing;

use super::engine::Engine;
use super::model_file::check_weights;
use super::precision::check_encoder;
use super::session::{ImageEncoder, TextEncoder};
use crate::encoder::{Encoders, Handles, Tokens};
use crate::error::Error;
use crate::options::Options;
use crate::preset::{MAPS, Preset, TOKENS};

/// The encoders of a preset; their files are read when they are asked for.
pub struct FromPreset<'a> {
    preset: &'a Preset,
    specs: Vec<EncoderSpec>,
    states: Vec<Option<EncoderSpec>>,
    engine: Engine,
}

impl<'a> FromPreset<'a> {
    /// `store` is where the features will go: its type of values is kept.
    pub fn new(preset: &'a Preset, store: &Path, options: &Options) -> Self {
        let engine = Engine::new(options);
        // A store that cannot be read is refused when it is opened for writing.
        let stored = Store::open(store).map_or(Vec::new(), |store| store.encoders().to_vec());
        let spec = |encoder: &crate::EncoderPreset| {
            let stored = stored.iter().find(|spec| spec.name == encoder.name);
            let stored = stored.map_or(ValueType::F16, |spec| spec.value_type);
            let provider = engine.provider(encoder);
            encoder.spec(&preset.name, options.value_type.unwrap_or(stored), provider)
        };
        let specs: Vec<EncoderSpec> = preset.encoders.iter().map(spec).collect();
        let kept = stored.iter().find(|spec| spec.name == TOKENS);
        let most = options.tokens.or(kept.map(|spec| spec.shape[0]));
        let token_states = |(encoder, spec): (&crate::EncoderPreset, &EncoderSpec)| {
            let states = encoder.token_states(spec, most?)?;
            let kept = kept.map_or(ValueType::F16, |spec| spec.value_type);
            Some(EncoderSpec {
                value_type: options.value_type.unwrap_or(kept),
                ..states
            })
        };
        let kept_maps = stored.iter().find(|spec| spec.name == MAPS);
        let maps = |(encoder, spec): (&crate::EncoderPreset, &EncoderSpec)| {
            let maps = (encoder.maps(spec)).filter(|_| options.maps || kept_maps.is_some())?;
            let kept = kept_maps.map_or(ValueType::F16, |spec| spec.value_type);
            Some(EncoderSpec {
                value_type: options.value_type.unwrap_or(kept),
                ..maps
            })
        };
        let pairs = preset.encoders.iter().zip(&specs);
        let states = pairs.map(|pair| token_states(pair).or_else(|| maps(pair)));
        Self {
            preset,
            states: states.collect(),
            specs,
            engine,
        }
    }
}

impl Encoders for FromPreset<'_> {
    fn specs(&self) -> &[EncoderSpec] {
        &self.specs
    }

    fn states(&self, number: usize) -> Option<&EncoderSpec> {
        self.states[number].as_ref()
    }

    fn check(&self, number: usize) -> Result<(), Error> {
        let encoder = &self.preset.encoders[number];
        encoder.verify(&self.preset.name)?;
        check_encoder(encoder, self.engine.device)?;
        check_weights(encoder)?;
        match encoder.input {
            Input::Image => Ok(()),
            Input::Text | Input::TextOcr => self.tokens(number).map(drop),
        }
    }

    fn earlier_revision(&self, number: usize, stored: &EncoderSpec) -> Option<(u32, u32)> {
        let encoder = &self.preset.encoders[number];
        let ours = encoder.revision();
        let earlier = encoder.earlier_revision(stored, ours)?;
        Some((earlier, ours))
    }

    fn machine(&self) -> Result<Option<Machine>, Error> {
        self.engine.machine().map(Some)
    }

    fn tokens(&self, number: usize) -> Result<Tokens, Error> {
        let encoder = &self.preset.encoders[number];
        let file = encoder.tokenizer.as_deref().unwrap_or(Path::new(""));
        let expected = encoder.tokenizer_sha256.as_deref().unwrap_or_default();
        let bytes: Vec<u8> = encoder.read(file, expected, &self.preset.name)?;
        let max_length = encoder.max_length.unwrap_or(0);
        Tokens::read(&encoder.name, (file, &bytes), max_length)
    }

    fn preprocessing(&self, number: usize) -> Preprocessing {
        let given = self.preset.encoders[number].image.clone();
        given.expect("`Preset::read` refuses an image encoder without it")
    }

    fn classifier(&self, number: usize) -> Result<Option<Vec<u8>>, Error> {
        let encoder = &self.preset.encoders[number];
        let file = encoder.classifier.as_deref();
        let named = file.zip(encoder.classifier_sha256.as_deref());
        named
            .map(|(file, expected)| encoder.read(file, expected, &self.preset.name))
            .transpose()
    }

    fn backbone(&self, number: usize) -> Result<Option<Vec<u8>>, Error> {
        let encoder = &self.preset.encoders[number];
        let file = encoder.backbone.as_deref();
        let named = file.zip(encoder.backbone_sha256.as_deref());
        named
            .map(|(file, expected)| encoder.read(file, expected, &self.preset.name))
            .transpose()
    }

    fn open_text(&self, number: usize, pad_id: u32) -> Result<Handles<u32>, Error> {
        let (preset, spec) = (&self.preset.encoders[number], self.specs[number].clone());
        let states = self.states(number);
        TextEncoder::open(preset, (spec, states), pad_id, self.engine)
    }

    fn open_image(&self, number: usize) -> Result<Handles<f32>, Error> {
        let (preset, spec) = (&self.preset.encoders[number], self.specs[number].clone());
        let size = self.preprocessing(number).input_size();
        ImageEncoder::open(preset, (spec, self.states(number)), size, self.engine)
    }
}
