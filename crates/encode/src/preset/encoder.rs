//! One encoder of a preset: its files with their checksums, and what the store records of it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mmfnd_features::{EncoderSpec, Input, Precision, ValueType};
use mmfnd_pictures::Preprocessing;
use mmfnd_posts::hash::{sha256_hex, sha256_of_file, to_hex};
use mmfnd_posts::{open_regular, read_regular};
use serde::{Deserialize, Serialize};

use super::exported::exported;
use crate::encoder::TOKENS_REVISION;
use crate::error::Error;

/// Name of the feature that the states of an encoder's tokens are.
pub const TOKENS: &str = "tokens";

/// Name of the feature that the maps within ResNet are.
pub const MAPS: &str = "resnet_map";

/// One encoder: a model, how its input is prepared, which output is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderPreset {
    /// Name of the feature: `bert`, `clip_text`, `clip_image`, `resnet`.
    pub name: String,
    /// What it reads.
    pub input: Input,
    /// ONNX file; relative paths are relative to the preset's file.
    pub model: PathBuf,
    /// SHA-256 of the ONNX file.
    pub sha256: String,
    /// Weights that the ONNX file keeps in a file beside it (models above 2 GB).
    pub weights: Option<PathBuf>,
    /// SHA-256 of the weights' file.
    pub weights_sha256: Option<String>,
    /// `tokenizer.json`, for text.
    pub tokenizer: Option<PathBuf>,
    /// SHA-256 of the tokenizer's file.
    pub tokenizer_sha256: Option<String>,
    /// Most tokens of a text, special tokens included; the rest is cut off.
    pub max_length: Option<usize>,
    /// The ONNX output that is kept.
    pub output: String,
    /// The last layer's states of all tokens, `[B, T, D]`: an ONNX output, or a value within the graph; of texts.
    pub token_states: Option<String>,
    /// Its shape without the batch axis.
    pub shape: Vec<usize>,
    /// Precision of the model's arithmetic.
    pub precision: Precision,
    /// How pictures become pixels, for images.
    pub image: Option<Preprocessing>,
    /// Last layer that stays trainable over the cache (safetensors `weight`, `bias`).
    pub classifier: Option<PathBuf>,
    /// SHA-256 of the classifier's file.
    pub classifier_sha256: Option<String>,
    /// The map that a trained part of it would read, `[B, C, H, W]`: an ONNX output, or a value within the graph; of
    /// the encoder `resnet`.
    pub map: Option<String>,
    /// The shape of that map without the batch axis.
    pub map_shape: Option<Vec<usize>>,
    /// Its weights under torchvision's names (safetensors), to be trained from.
    pub backbone: Option<PathBuf>,
    /// SHA-256 of that file.
    pub backbone_sha256: Option<String>,
}

/// Everything that can change a value, in an order that no feature of a JSON library can change.
#[derive(Serialize)]
struct Identity<'a> {
    model: String,
    tokenizer: Option<String>,
    max_length: Option<usize>,
    input: Input,
    image: Option<&'a Preprocessing>,
    output: &'a str,
    shape: &'a [usize],
    precision: Precision,
    value_type: ValueType,
    /// Of what this program does to pictures or texts. The first does not show: stores are older than revisions.
    #[serde(skip_serializing_if = "is_first")]
    revision: u32,
}

fn is_first(revision: &u32) -> bool {
    *revision == 1
}

impl EncoderPreset {
    pub(super) fn broken_rule(&self) -> Option<&'static str> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_image = self.input == Input::Image;
        let rules = [
            (
                self.name.is_empty() || !self.name.chars().all(plain),
                "a name has only a-z, 0-9 and _",
            ),
            (
                self.shape.is_empty() || self.shape.contains(&0),
                "`shape` needs at least one axis, and none of length 0",
            ),
            (
                is_image && self.image.is_none(),
                "an image encoder needs a table `[encoder.image]`",
            ),
            (
                !is_image && self.image.is_some(),
                "a text encoder has no table `[encoder.image]`",
            ),
            (
                !is_image && (self.tokenizer.is_none() || self.tokenizer_sha256.is_none()),
                "a text encoder needs `tokenizer` and `tokenizer_sha256`",
            ),
            (
                !is_image && self.max_length.unwrap_or(0) < 3,
                "a text encoder needs `max_length`, 3 or more",
            ),
            (
                self.weights.is_some() != self.weights_sha256.is_some(),
                "`weights` and `weights_sha256` go together",
            ),
            (
                self.classifier.is_some() != self.classifier_sha256.is_some(),
                "`classifier` and `classifier_sha256` go together",
            ),
            (
                is_image && self.token_states.is_some(),
                "only a text encoder has `token_states`",
            ),
            (
                self.map.is_some() && !(is_image && self.name == "resnet"),
                "only the image encoder `resnet` has a `map`",
            ),
            (
                self.map.is_some() != self.map_shape.is_some()
                    || self.map.is_some() != self.backbone.is_some()
                    || self.backbone.is_some() != self.backbone_sha256.is_some(),
                "`map`, `map_shape`, `backbone` and `backbone_sha256` go together",
            ),
            (
                (self.map_shape.as_ref())
                    .is_some_and(|shape| shape.len() != 3 || shape.contains(&0)),
                "`map_shape` is [channels, height, width], none of them 0",
            ),
            (
                self.image
                    .as_ref()
                    .is_some_and(|image| !image.is_possible()),
                "`resize` and `crop` need sides from 1 to 4096, the crop no larger than the resized picture, `std` above 0",
            ),
        ];
        rules
            .into_iter()
            .find_map(|(broken, rule)| broken.then_some(rule))
    }

    pub(super) fn resolve(&mut self, folder: &Path) {
        let paths = [
            Some(&mut self.model),
            self.weights.as_mut(),
            self.tokenizer.as_mut(),
            self.classifier.as_mut(),
            self.backbone.as_mut(),
        ];
        for path in paths.into_iter().flatten() {
            *path = tidy(&folder.join(&*path));
        }
    }

    /// The files that this encoder needs, with the checksums that they must have.
    pub fn files(&self) -> Vec<(&Path, &str)> {
        let pairs = [
            Some((&self.model, &self.sha256)),
            self.weights.as_ref().zip(self.weights_sha256.as_ref()),
            self.tokenizer.as_ref().zip(self.tokenizer_sha256.as_ref()),
            self.classifier
                .as_ref()
                .zip(self.classifier_sha256.as_ref()),
            self.backbone.as_ref().zip(self.backbone_sha256.as_ref()),
        ];
        pairs
            .into_iter()
            .flatten()
            .map(|(path, sum)| (path.as_path(), sum.as_str()))
            .collect()
    }

    /// Reads every file once and compares its checksum.
    pub fn verify(&self, preset: &str) -> Result<(), Error> {
        for (path, expected) in self.files() {
            let found = match sha256_of_file(path) {
                Ok(found) => to_hex(&found),
                Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                    return Err(self.bad_file(preset, path, "is missing".into()));
                }
                Err(source) => return Err(Error::io(path)(source)),
            };
            self.compare(path, (&found, expected), preset)?;
        }
        Ok(())
    }

    /// Reads a file of this encoder whole, and compares the checksum of what was read.
    pub(crate) fn read<T: FileBytes>(
        &self,
        path: &Path,
        expected: &str,
        preset: &str,
    ) -> Result<T, Error> {
        let bytes = match T::read(path) {
            Ok(bytes) => bytes,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(self.bad_file(preset, path, "is missing".into()));
            }
            Err(source) => return Err(Error::io(path)(source)),
        };
        self.compare(path, (&sha256_hex(bytes.as_ref()), expected), preset)?;
        Ok(bytes)
    }

    fn compare(
        &self,
        path: &Path,
        (found, expected): (&str, &str),
        preset: &str,
    ) -> Result<(), Error> {
        if found.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        let problem = format!(
            "is not the file that preset `{preset}` means (SHA-256 {found}, expected {expected})"
        );
        Err(self.bad_file(preset, path, problem))
    }

    fn bad_file(&self, preset: &str, path: &Path, problem: String) -> Error {
        Error::ModelFile {
            path: path.to_owned(),
            problem,
            remedy: remedy(preset),
        }
    }

    /// What the store records of the states of the tokens, at most so many a text, where the encoder gives them.
    pub fn token_states(&self, encoder: &EncoderSpec, most: usize) -> Option<EncoderSpec> {
        let name = self.token_states.as_ref()?;
        let most = most.min(self.max_length.unwrap_or(most));
        let described = format!("{} {name} {most}", encoder.fingerprint);
        Some(EncoderSpec {
            name: TOKENS.to_owned(),
            shape: vec![most, encoder.token_width()],
            ragged: true,
            fingerprint: sha256_hex(described.as_bytes()),
            classifier_sha256: None,
            ..encoder.clone()
        })
    }

    /// What the store records of the maps, where the encoder gives them. The weights that go with them are part of what
    /// they are.
    pub fn maps(&self, encoder: &EncoderSpec) -> Option<EncoderSpec> {
        let (name, shape) = self.map.as_ref().zip(self.map_shape.as_ref())?;
        let weights = self.backbone_sha256.as_ref()?.to_ascii_lowercase();
        let described = format!("{} {name} {shape:?} {weights}", encoder.fingerprint);
        Some(EncoderSpec {
            name: MAPS.to_owned(),
            shape: shape.clone(),
            fingerprint: sha256_hex(described.as_bytes()),
            classifier_sha256: Some(weights),
            ..encoder.clone()
        })
    }

    /// The value within the graph that tokens or maps are.
    pub(crate) fn states_name(&self) -> Option<&str> {
        (self.token_states.as_deref()).or(self.map.as_deref())
    }

    /// What the store records; the fingerprint covers everything that can change a value.
    pub fn spec(&self, preset: &str, value_type: ValueType, provider: &str) -> EncoderSpec {
        EncoderSpec {
            name: self.name.clone(),
            input: self.input,
            shape: self.shape.clone(),
            ragged: false,
            value_type,
            fingerprint: self.fingerprint(value_type, self.revision()),
            model: short_name(&self.model),
            preset: preset.to_owned(),
            precision: self.precision,
            provider: provider.to_owned(),
            classifier_sha256: self.classifier_sha256.clone(),
        }
    }

    /// Which revision of this program's preprocessing before `ours` would have given this encoder its fingerprint.
    pub(crate) fn earlier_revision(&self, stored: &EncoderSpec, ours: u32) -> Option<u32> {
        let is_it =
            |&revision: &u32| self.fingerprint(stored.value_type, revision) == stored.fingerprint;
        (1..ours).rev().find(is_it)
    }

    /// Of what this program does to the pictures or texts before the model sees them.
    pub(crate) fn revision(&self) -> u32 {
        match self.input {
            Input::Image => mmfnd_pictures::REVISION,
            Input::Text | Input::TextOcr => TOKENS_REVISION,
        }
    }

    pub(crate) fn fingerprint(&self, value_type: ValueType, revision: u32) -> String {
        let model = [Some(&self.sha256), self.weights_sha256.as_ref()];
        let model: Vec<&str> = model.into_iter().flatten().map(String::as_str).collect();
        let described = Identity {
            model: model.join("+").to_ascii_lowercase(),
            tokenizer: self
                .tokenizer_sha256
                .as_ref()
                .map(|sum| sum.to_ascii_lowercase()),
            max_length: self.max_length,
            input: self.input,
            image: self.image.as_ref(),
            output: &self.output,
            shape: &self.shape,
            precision: self.precision,
            value_type,
            revision,
        };
        let described = serde_json::to_string(&described)
            .expect("it has no maps and no floats but finite ones");
        sha256_hex(described.as_bytes())
    }
}

/// How to get a preset's models.
pub(crate) fn remedy(preset: &str) -> String {
    if preset == "demo" {
        return "the demo encoders are part of the repository: `git checkout models/demo models/presets/demo.toml`".into();
    }
    match exported(preset) {
        Some((base, precision)) => {
            let precision = precision.map(|name| format!(" --precision {name}"));
            format!(
                "make it: `python3 -m pip install -r models/requirements.txt`, then `python3 models/export.py {base}{}`",
                precision.unwrap_or_default()
            )
        }
        None => format!("correct preset `{preset}`, or put its files where it says that they are"),
    }
}

/// What a file's bytes are read into.
pub(crate) trait FileBytes: AsRef<[u8]> + Sized {
    /// Reads a file whole.
    fn read(path: &Path) -> std::io::Result<Self>;
}

impl FileBytes for Vec<u8> {
    fn read(path: &Path) -> std::io::Result<Self> {
        read_regular(path)
    }
}

/// For gigabytes of weights that are shared: they are not copied after they were read.
impl FileBytes for Arc<[u8]> {
    fn read(path: &Path) -> std::io::Result<Self> {
        let mut file = open_regular(path)?;
        let length = usize::try_from(file.metadata()?.len()).map_err(std::io::Error::other)?;
        let mut bytes: Self = std::iter::repeat_n(0, length).collect();
        let new = Arc::get_mut(&mut bytes).expect("nobody else has it yet");
        file.read_exact(new)?;
        Ok(bytes)
    }
}

/// `a/presets/../demo/x` as `a/demo/x`, so that messages name files as people do.
pub(crate) fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        let can_pop = matches!(
            out.components().next_back(),
            Some(std::path::Component::Normal(_))
        );
        if part == std::path::Component::ParentDir && can_pop {
            out.pop();
        } else {
            out.push(part);
        }
    }
    out
}

/// The last folder and the file's name.
fn short_name(path: &Path) -> String {
    let parts: Vec<_> = path
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    parts[parts.len().saturating_sub(2)..].join("/")
}
