//! Fetches ONNX Runtime: a pinned PyPI wheel, its checksum compared, its libraries unpacked into our cache.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mmfnd_posts::hash::{sha256_of_file, to_hex};

use super::python::{PYTHON, Python};
use crate::cache_dir::{cache_dir, create, is_ours};
use crate::error::Error;
use crate::versions::{ONNX_RUNTIME, ONNX_RUNTIME_CUDA};

/// What is fetched: a package of PyPI and the libraries in it.
pub(crate) struct Package {
    name: &'static str,
    version: &'static str,
    /// Megabytes to download.
    size: u32,
    wheels: &'static [Wheel],
    /// Which files of the wheel are unpacked, by their names; the runtime's own library comes last.
    is_wanted: fn(&str) -> bool,
}

/// A wheel for one platform.
struct Wheel {
    os: &'static str,
    arch: &'static str,
    platform: &'static str,
    sha256: &'static str,
}

/// ONNX Runtime for CPUs. Checksums were taken from the wheels themselves; a platform that is not here gets no wheel,
/// rather than an unchecked one.
pub(crate) const CPU: Package = Package {
    name: "onnxruntime",
    version: ONNX_RUNTIME,
    size: 20,
    wheels: &[
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
    ],
    is_wanted: is_library,
};

/// ONNX Runtime with the CUDA provider.
pub(crate) const CUDA: Package = Package {
    name: "onnxruntime-gpu",
    version: ONNX_RUNTIME_CUDA,
    size: 256,
    wheels: &[Wheel {
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        sha256: "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7",
    }],
    is_wanted: |name| is_library(name) || CUDA_PROVIDER.contains(&name),
};

/// The files of the CUDA provider, which lie beside the runtime's own library.
pub(crate) const CUDA_PROVIDER: [&str; 2] = [
    "libonnxruntime_providers_cuda.so",
    "libonnxruntime_providers_shared.so",
];

impl Package {
    /// The folder in the cache that holds its libraries.
    pub(crate) fn folder(&self) -> PathBuf {
        cache_dir().join(format!("{}-{}", self.name, self.version))
    }

    /// The runtime's library in the cache, if the package is there as a whole and nobody else can have put it there.
    pub(crate) fn cached(&self) -> Option<PathBuf> {
        library_in(&self.folder()).filter(|library| is_ours(library).unwrap_or(false))
    }
}

/// The runtime's library in a folder.
pub(crate) fn library_in(folder: &Path) -> Option<PathBuf> {
    let is_it = |file: &PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str());
        name.is_some_and(is_library)
    };
    files_in(folder).find(is_it)
}

/// Whether a file name is that of the ONNX Runtime library itself, not of a provider or of the Python module.
pub(crate) fn is_library(name: &str) -> bool {
    name == "onnxruntime.dll"
        || name.starts_with("libonnxruntime.so")
        || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
}

/// Downloads a pinned wheel with pip, checks it and unpacks its libraries; says so on standard error.
pub(crate) fn fetch(package: &Package) -> Result<PathBuf, Error> {
    let Package {
        name,
        version,
        size,
        wheels,
        ..
    } = package;
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let wheel = wheels
        .iter()
        .find(|wheel| wheel.os == os && wheel.arch == arch)
        .ok_or_else(|| {
            problem(format!(
                "no wheel of {name} {version} is pinned for {os} on {arch}"
            ))
        })?;
    let cache = create().map_err(Error::io(cache_dir()))?;
    if !is_ours(&cache).map_err(Error::io(&cache))? {
        return Err(problem(format!(
            "others may write to the cache `{}`, so nothing is run from there; name another folder in `MMFND_CACHE`",
            cache.display()
        )));
    }
    let scratch = tempfile::Builder::new()
        .prefix("fetch-")
        .tempdir_in(&cache)
        .map_err(Error::io(&cache))?;
    note(format_args!(
        "fetching {name} {version} with pip ({size} MB)"
    ));
    let file = download(package, wheel, scratch.path())?;
    let library = unpack(package, &file, scratch.path())?;
    note(format_args!(
        "{name} {version} is now in `{}`",
        library.display()
    ));
    Ok(library)
}

/// Says something on standard error; where that cannot be written the line is lost, and nothing else.
pub(crate) fn note(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
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

fn download(package: &Package, wheel: &Wheel, folder: &Path) -> Result<PathBuf, Error> {
    let requirement = format!("{}=={}", package.name, package.version);
    let folder = folder.canonicalize().map_err(Error::io(folder))?;
    let mut last_problem = None;
    for python in Python::all() {
        let (platform, place) = (["--platform", wheel.platform], folder.to_string_lossy());
        let arguments = DOWNLOAD.into_iter().chain(platform);
        let arguments: Vec<&str> = arguments.chain(["--dest", &place, &requirement]).collect();
        match python.run(&arguments) {
            Ok(output) if output.status.success() => return checked(wheel, &folder),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let last = said.lines().rfind(|line| !line.trim().is_empty());
                let last = last.unwrap_or("it says nothing").trim();
                last_problem = Some(problem(format!(
                    "`{PYTHON} -m pip download {requirement}` failed ({last})"
                )));
            }
            Err(error) => {
                last_problem = Some(Error::Runtime {
                    problem: format!("`{PYTHON} -m pip` cannot be run"),
                    source: Some(error.into()),
                });
            }
        }
    }
    Err(last_problem.expect("there is always one Python to try"))
}

/// The wheel in a folder, if it is the pinned one.
fn checked(wheel: &Wheel, folder: &Path) -> Result<PathBuf, Error> {
    let file = files_in(folder)
        .find(|file| file.extension().is_some_and(|end| end == "whl"))
        .ok_or_else(|| problem("pip succeeded without leaving a wheel".into()))?;
    let found = sha256_of_file(&file).map_err(Error::io(&file))?;
    let found = to_hex(&found);
    if found != wheel.sha256 {
        return Err(problem(format!(
            "the wheel that pip fetched is not the pinned one (SHA-256 {found}, expected {})",
            wheel.sha256
        )));
    }
    Ok(file)
}

/// Unpacks the libraries beside the wheel and moves them into place, the runtime's own last: where it is, the others
/// are.
fn unpack(package: &Package, wheel: &Path, scratch: &Path) -> Result<PathBuf, Error> {
    let broken = |error: zip::result::ZipError| Error::Runtime {
        problem: "the fetched wheel cannot be unpacked".into(),
        source: Some(error.into()),
    };
    let file = File::open(wheel).map_err(Error::io(wheel))?;
    let mut archive = zip::ZipArchive::new(file).map_err(broken)?;
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let names = archive.file_names().filter_map(|path| path.ok());
    let names = names.map(|path| path.into_owned());
    let mut inner: Vec<String> = names
        .filter(|path| (package.is_wanted)(&last(path)))
        .collect();
    inner.sort_by_key(|path| is_library(&last(path)));
    let folder = package.folder();
    fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    for path in &inner {
        let partial = scratch.join(last(path));
        let mut entry = archive.by_name(path).map_err(broken)?;
        let copied = File::create(&partial).and_then(|mut out| {
            io::copy(&mut entry, &mut out)?;
            out.sync_all()
        });
        copied.map_err(Error::io(&partial))?;
    }
    for path in &inner {
        let place = folder.join(last(path));
        fs::rename(scratch.join(last(path)), &place).map_err(Error::io(&place))?;
    }
    library_in(&folder)
        .ok_or_else(|| problem("the fetched wheel holds no ONNX Runtime library".into()))
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
        let wanted = CUDA.is_wanted;
        assert!(wanted("libonnxruntime.so.1.31.1") && CUDA_PROVIDER.into_iter().all(wanted));
        assert!(!wanted("libonnxruntime_providers_tensorrt.so"));
    }
}
