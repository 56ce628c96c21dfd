//! Presets: which encoders make which features, as TOML beside the models.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use mmfnd_features::{EncoderSpec, Precision};
use serde::Deserialize;

mod encoder;
mod exported;
mod retrained;

pub use encoder::{EncoderPreset, MAPS, TOKENS};
pub(crate) use encoder::{remedy, tidy};
pub use exported::EXPORTED;
pub use retrained::retrained_preset;

use crate::error::Error;
use exported::exported;

/// A named set of encoders.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Its name, recorded in the store.
    pub name: String,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// The encoders, in the order in which they run.
    #[serde(rename = "encoder")]
    pub encoders: Vec<EncoderPreset>,
}

/// Why a preset cannot be used.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("no such preset; looked for {looked}{available}{remedy}")]
    NotFound {
        looked: String,
        available: String,
        /// Only for presets that can be made.
        remedy: String,
    },
    #[error(transparent)]
    Unreadable(#[from] mmfnd_posts::Error),
    #[error(transparent)]
    Toml(#[from] Box<toml::de::Error>),
    #[error("encoder `{encoder}`: {rule}")]
    Rule { encoder: String, rule: &'static str },
}

impl Preset {
    /// The same encoders, in bfloat16 where those of these names are: the files do not say so, `--precision` did.
    pub fn in_precision_of(&self, stored: &[EncoderSpec]) -> Self {
        let mut preset = self.clone();
        for encoder in &mut preset.encoders {
            let is_bf16 =
                |spec: &EncoderSpec| spec.name == encoder.name && spec.precision == Precision::Bf16;
            if encoder.precision == Precision::F32 && stored.iter().any(is_bf16) {
                encoder.precision = Precision::Bf16;
            }
        }
        preset
    }

    /// Reads a preset by name (from `$MMFND_MODELS/presets`, `./models/presets` or the sources' own) or by file.
    pub fn find(name: &str) -> Result<Self, Error> {
        Self::read(&find_file(name)?)
    }

    /// Reads a preset's file and checks everything that can be checked without opening a model.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let text = mmfnd_posts::read_text(path).map_err(|error| refused(&shown, error.into()))?;
        Self::parse(&text, path)
    }

    /// [`Preset::read`], of the text that the file has or is going to have.
    fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let mut preset: Self =
            toml::from_str(text).map_err(|error| refused(&shown, Box::new(error).into()))?;
        preset.check().map_err(|problem| refused(&shown, problem))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for encoder in &mut preset.encoders {
            encoder.resolve(folder);
        }
        Ok(preset)
    }
    /// Keeps only the named encoders.
    pub fn only(mut self, names: &[String]) -> Result<Self, Error> {
        let known: Vec<&str> = self.encoders.iter().map(|e| e.name.as_str()).collect();
        if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(Error::UnknownEncoder {
                name: unknown.clone(),
                known: known.join("`, `"),
            });
        }
        self.encoders
            .retain(|encoder| names.contains(&encoder.name));
        Ok(self)
    }

    fn check(&self) -> Result<(), Problem> {
        let mut names = BTreeSet::new();
        for encoder in &self.encoders {
            let rule = encoder.broken_rule().or_else(|| {
                (!names.insert(encoder.name.as_str())).then_some("two encoders have this name")
            });
            let own = encoder.token_states.as_ref().map(|_| TOKENS);
            let own = own.or(encoder.map.as_ref().map(|_| MAPS));
            let rule = rule.or_else(|| {
                let is_new = own.is_none_or(|name| names.insert(name));
                (!is_new).then_some(
                    "`token_states` are the feature `tokens`, a `map` is `resnet_map`, and another encoder has that name",
                )
            });
            if let Some(rule) = rule {
                let encoder = encoder.name.clone();
                return Err(Problem::Rule { encoder, rule });
            }
        }
        Ok(())
    }
}

/// The file of a preset, by its name or by itself.
fn find_file(name: &str) -> Result<PathBuf, Error> {
    if name.ends_with(".toml") {
        return Ok(PathBuf::from(name));
    }
    let folders = folders();
    let files: Vec<PathBuf> = folders
        .iter()
        .map(|folder| folder.join(format!("{name}.toml")))
        .collect();
    match files.iter().find(|file| file.is_file()) {
        Some(file) => Ok(file.clone()),
        None => Err(refused(
            name,
            Problem::NotFound {
                looked: list(files.iter().map(|file| file.display())),
                available: match list(available().iter().map(|(name, _)| name)) {
                    names if names.is_empty() => String::new(),
                    names => format!("; there are {names}"),
                },
                remedy: exported(name)
                    .map(|_| format!("; {}", remedy(name)))
                    .unwrap_or_default(),
            },
        )),
    }
}

/// Every preset that can be found by name, with its file.
pub fn available() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for folder in folders() {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.sort();
        for file in files {
            let name = file.file_stem().map(|stem| stem.to_string_lossy());
            if let (Some(name), true) = (name, file.extension().is_some_and(|e| e == "toml"))
                && found.iter().all(|(known, _)| *known != name)
            {
                found.push((name.into_owned(), file.clone()));
            }
        }
    }
    found
}

fn folders() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map(|root| root.join("models"));
    let mut folders: Vec<PathBuf> = std::env::var_os("MMFND_MODELS")
        .map(PathBuf::from)
        .into_iter()
        .chain([PathBuf::from("models")])
        .chain(own)
        .map(|models| models.join("presets"))
        .collect();
    folders.dedup();
    folders
}

fn refused(preset: &(impl ToString + ?Sized), problem: Problem) -> Error {
    Error::Preset {
        preset: preset.to_string(),
        source: Box::new(problem),
    }
}

fn list<T: fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let shown: Vec<String> = items.map(|item| format!("`{item}`")).collect();
    shown.join(", ")
}
