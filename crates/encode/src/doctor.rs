//! What this machine has and what is missing: the facts that `mmfnd doctor` prints.

use std::path::PathBuf;

use mmfnd_posts::hash::{sha256_of_file, to_hex};

use crate::error::Error;
use crate::onnx::{Runtime, check_cuda};
use crate::preset::{self, Preset, remedy};

/// State of one file that a preset needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// There, and the one that the preset means.
    Present,
    /// Not there.
    Missing,
    /// There, but another one.
    Differs,
    /// There, but it cannot be read.
    Unreadable(String),
}

/// One preset that can be found by name.
#[derive(Debug)]
pub struct PresetState {
    /// Its name.
    pub name: String,
    /// Its own file.
    pub file: PathBuf,
    /// The files that it needs, once each; or why the preset cannot be read.
    pub files: Result<Vec<(PathBuf, FileState)>, Error>,
}

impl PresetState {
    /// Whether it can be encoded with.
    pub fn is_usable(&self) -> bool {
        let is_present = |(_, state): &(PathBuf, FileState)| *state == FileState::Present;
        self.files
            .as_ref()
            .is_ok_and(|files| files.iter().all(is_present))
    }

    /// How to get what is missing.
    pub fn remedy(&self) -> String {
        remedy(&self.name)
    }
}

/// The files that a preset needs, once each, with their sizes; `None` for one that is not there. Nothing is read.
pub fn sizes_of(preset: &Preset) -> Vec<(PathBuf, Option<u64>)> {
    let mut found: Vec<(PathBuf, Option<u64>)> = Vec::new();
    for (path, _) in preset.encoders.iter().flat_map(|encoder| encoder.files()) {
        if found.iter().all(|(known, _)| known != path) {
            let size = path.metadata().ok().filter(|file| file.is_file());
            found.push((path.to_owned(), size.map(|file| file.len())));
        }
    }
    found
}

/// How to get what a preset of this name lacks.
pub fn remedy_of(preset: &str) -> String {
    remedy(preset)
}

/// The presets that can be found by name, with their files' checksums compared.
pub fn presets() -> Vec<PresetState> {
    let state = |(name, file): (String, PathBuf)| PresetState {
        files: Preset::read(&file).map(|preset| files_of(&preset)),
        name,
        file,
    };
    preset::available().into_iter().map(state).collect()
}

/// The state of each file that a preset needs.
pub fn files_of(preset: &Preset) -> Vec<(PathBuf, FileState)> {
    let mut found: Vec<(PathBuf, FileState)> = Vec::new();
    for (path, expected) in preset.encoders.iter().flat_map(|encoder| encoder.files()) {
        if found.iter().any(|(known, _)| known == path) {
            continue;
        }
        let state = match sha256_of_file(path).map(|sum| to_hex(&sum)) {
            Ok(sum) if sum.eq_ignore_ascii_case(expected) => FileState::Present,
            Ok(_) => FileState::Differs,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => FileState::Missing,
            Err(error) => FileState::Unreadable(error.to_string()),
        };
        found.push((path.to_owned(), state));
    }
    found
}

/// Loads ONNX Runtime with the CUDA provider and starts it, or says why that cannot be done. The process has one ONNX
/// Runtime, so this is for a process that has none yet.
pub fn cuda() -> Result<&'static Runtime, Error> {
    check_cuda()
}
