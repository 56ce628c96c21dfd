//! Fetches ONNX Runtime: the pinned PyPI wheel, its checksum compared, its library unpacked into our cache.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::preset::sha256_of;

/// The version that is fetched when none is found; the one that this program was tested with.
pub const VERSION: &str = "1.32.0";

/// A wheel of [`VERSION`] for one platform.
struct Wheel {
    os: &'static str,
    arch: &'static str,
    platform: &'static str,
    sha256: &'static str,
}

/// Checksums taken from the wheels themselves; a platform that is not here gets no wheel, rather than an unchecked one.
const WHEELS: [Wheel; 4] = [
    Wheel {
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        sha256: "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8",
    },
    Wheel {
        os: "linux",
        arch: "aarch64",
        platform: "manylinux_2_28_aarch64",
        sha256: "e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054",
    },
    Wheel {
        os: "macos",
        arch: "aarch64",
        platform: "macosx_14_0_arm64",
        sha256: "d52510bbbcc880c13b826f7d75cdf33ac5cf0bb864d960000fc29ce73f0cb83e",
    },
    Wheel {
        os: "windows",
        arch: "x86_64",
        platform: "win_amd64",
        sha256: "efe7456952c243a05a53d5b8732953625144642c2f3989094277f6217f0c0c40",
    },
];

/// The Python that is asked for an installed ONNX Runtime and for pip.
pub(crate) const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// Our cache: `$MMFND_CACHE`, else `$XDG_CACHE_HOME/mmfnd`, else `~/.cache/mmfnd`.
pub fn cache_dir() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(own) = variable("MMFND_CACHE") {
        return own.into();
    }
    let base = variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
        let home = variable("HOME").or_else(|| variable("USERPROFILE"))?;
        Some(Path::new(&home).join(".cache"))
    });
    base.unwrap_or_else(std::env::temp_dir).join("mmfnd")
}

/// The folder in the cache that holds the pinned version's library.
pub(crate) fn library_dir() -> PathBuf {
    cache_dir().join(format!("onnxruntime-{VERSION}"))
}

/// Whether a file name is that of the ONNX Runtime library itself, not of a provider or of the Python module.
pub(crate) fn is_library(name: &str) -> bool {
    name == "onnxruntime.dll"
        || name.starts_with("libonnxruntime.so")
        || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
}

/// Downloads the pinned wheel with pip, checks it and unpacks its library; says so on standard error.
pub(crate) fn fetch() -> Result<PathBuf, Error> {
    let wheel = WHEELS
        .iter()
        .find(|wheel| wheel.os == std::env::consts::OS && wheel.arch == std::env::consts::ARCH)
        .ok_or_else(|| {
            problem(format!(
                "no wheel of version {VERSION} is pinned for {} on {}",
                std::env::consts::OS,
                std::env::consts::ARCH
            ))
        })?;
    let scratch = cache_dir().join(format!("fetch-{}", std::process::id()));
    fs::create_dir_all(&scratch).map_err(Error::io(&scratch))?;
    eprintln!("ONNX Runtime is not installed: fetching onnxruntime {VERSION} with pip");
    let outcome = download(wheel, &scratch).and_then(|file| unpack(&file, &scratch));
    // Best effort: a left-over scratch folder costs disk space only.
    let _ = fs::remove_dir_all(&scratch);
    let library = outcome?;
    eprintln!("ONNX Runtime {VERSION} is now in `{}`", library.display());
    Ok(library)
}

/// The arguments of pip; its own Python does not matter, the wheel is for the platform that we name.
const DOWNLOAD: [&str; 8] = [
    "-m",
    "pip",
    "download",
    "--quiet",
    "--disable-pip-version-check",
    "--no-deps",
    "--only-binary=:all:",
    "--python-version=3.12",
];

fn download(wheel: &Wheel, folder: &Path) -> Result<PathBuf, Error> {
    let output = Command::new(PYTHON)
        .args(DOWNLOAD)
        .args(["--platform", wheel.platform, "--dest"])
        .arg(folder)
        .arg(format!("onnxruntime=={VERSION}"))
        .output()
        .map_err(|error| Error::Runtime {
            problem: format!("`{PYTHON} -m pip` cannot be run"),
            source: Some(error.into()),
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        return Err(problem(format!(
            "`{PYTHON} -m pip download onnxruntime=={VERSION}` failed ({})",
            last.unwrap_or("it says nothing").trim()
        )));
    }
    let file = files_in(folder)
        .find(|file| file.extension().is_some_and(|end| end == "whl"))
        .ok_or_else(|| problem("pip succeeded without leaving a wheel".into()))?;
    let found = sha256_of(&file).map_err(Error::io(&file))?;
    if found != wheel.sha256 {
        return Err(problem(format!(
            "the wheel that pip fetched is not the pinned one (SHA-256 {found}, expected {})",
            wheel.sha256
        )));
    }
    Ok(file)
}

/// Unpacks the library beside the wheel and moves it into place in one step.
fn unpack(wheel: &Path, scratch: &Path) -> Result<PathBuf, Error> {
    let broken = |error: zip::result::ZipError| Error::Runtime {
        problem: "the fetched wheel cannot be unpacked".into(),
        source: Some(error.into()),
    };
    let file = File::open(wheel).map_err(Error::io(wheel))?;
    let mut archive = zip::ZipArchive::new(file).map_err(broken)?;
    let inner = archive
        .file_names()
        .filter_map(|path| path.ok().map(|path| path.into_owned()))
        .find(|path| path.rsplit('/').next().is_some_and(is_library))
        .ok_or_else(|| problem("the fetched wheel holds no ONNX Runtime library".into()))?;
    let name = inner.rsplit('/').next().unwrap_or(&inner);
    let partial = scratch.join(name);
    let mut entry = archive.by_name(&inner).map_err(broken)?;
    let copied = File::create(&partial).and_then(|mut out| {
        io::copy(&mut entry, &mut out)?;
        out.sync_all()
    });
    copied.map_err(Error::io(&partial))?;
    let folder = library_dir();
    let library = folder.join(name);
    fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    fs::rename(&partial, &library).map_err(Error::io(&library))?;
    Ok(library)
}

pub(crate) fn files_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

fn problem(problem: String) -> Error {
    Error::Runtime {
        problem,
        source: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_library_itself_is_taken_for_it() {
        assert!(is_library("libonnxruntime.so.1.32.0"));
        assert!(is_library("libonnxruntime.1.32.0.dylib"));
        assert!(is_library("onnxruntime.dll"));
        assert!(!is_library("libonnxruntime_providers_shared.so"));
        assert!(!is_library("onnxruntime_pybind11_state.so"));
    }
}
