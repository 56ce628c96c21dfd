//! What the CUDA provider needs beside itself: NVIDIA's libraries, which may lie in Python packages.

use std::path::{Path, PathBuf};

use super::fetch::files_in;
use super::python::{Python, is_below_here};

/// The line that installs them from PyPI: CUDA 13 and cuDNN 9, as the wheel itself asks for.
pub const INSTALL: &str = "python3 -m pip install 'nvidia-cuda-runtime~=13.0' 'nvidia-cuda-nvrtc~=13.0' 'nvidia-cublas~=13.0' 'nvidia-cufft~=12.0' 'nvidia-curand~=10.0' 'nvidia-cudnn-cu13~=9.0'";

/// What must be there that no package brings.
pub const DRIVER: &str = "an NVIDIA driver for CUDA 13 (580 or newer)";

/// Each before those that need it. cuDNN finds its parts by itself, beside it.
const LIBRARIES: [&str; 7] = [
    "libcudart.so.13",
    "libcublasLt.so.13",
    "libcublas.so.13",
    "libnvrtc.so.13",
    "libcurand.so.10",
    "libcufft.so.12",
    "libcudnn.so.9",
];

/// Loads what Python packages have of them, so that the provider finds them without `LD_LIBRARY_PATH`. What is not
/// there is left to the loader, whose message names it.
pub(crate) fn preload() {
    let folders = python_folders();
    for name in LIBRARIES {
        let mut files = folders.iter().map(|folder| folder.join(name));
        if let Some(file) = files.find(|file| file.is_file()) {
            keep_loaded(&file);
        }
    }
}

fn keep_loaded(file: &Path) {
    // SAFETY: the file is a library of NVIDIA's that the user installed to be loaded by just this provider; its
    // initialisers run here as they would when the provider is loaded.
    if let Ok(library) = unsafe { libloading::Library::new(file) } {
        std::mem::forget(library);
    }
}

/// The folders `lib` in Python's namespace package `nvidia`, without importing anything else.
fn python_folders() -> Vec<PathBuf> {
    const ASK: &str = "import importlib.util as u; s = u.find_spec('nvidia'); print('\\n'.join(s.submodule_search_locations) if s else '')";
    let folders = |python: Python| -> Vec<PathBuf> {
        let packages = python
            .ask(ASK)
            .into_iter()
            .flat_map(|folder| files_in(&folder).collect::<Vec<_>>());
        let libraries = packages
            .map(|package| package.join("lib"))
            .filter(|folder| folder.is_dir());
        let may_be_used =
            |folder: &PathBuf| python.is_ours || !is_below_here(folder).unwrap_or(true);
        libraries.filter(may_be_used).collect()
    };
    let found = Python::all().into_iter().map(folders);
    found
        .into_iter()
        .find(|folders| !folders.is_empty())
        .unwrap_or_default()
}
