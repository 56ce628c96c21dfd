//! Finds ONNX Runtime (or fetches it) and loads it once per process.

use std::ffi::CStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use super::fetch::{self, CPU, CUDA, CUDA_PROVIDER, library_in};
use super::nvidia;
use super::python::{Python, is_below_here};
use crate::error::Error;

/// Where a library was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Named by `ORT_DYLIB_PATH`.
    Variable,
    /// In our own cache.
    Cache,
    /// Part of an installed Python package.
    Python,
    /// Fetched just now.
    Fetched,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Variable => "named by ORT_DYLIB_PATH",
            Self::Cache => "from our cache",
            Self::Python => "of the installed Python package onnxruntime",
            Self::Fetched => "fetched with pip",
        })
    }
}

/// The loaded ONNX Runtime.
#[derive(Debug)]
pub struct Runtime {
    /// The library's file.
    pub path: PathBuf,
    /// How it was found.
    pub origin: Origin,
    /// Its version.
    pub version: String,
    /// Names of the execution providers that it was built with.
    pub providers: Vec<String>,
    pub(crate) environment: Environment,
}

/// The process has one ONNX Runtime: the library forbids a second environment.
static LOADED: Mutex<Option<&'static Runtime>> = Mutex::new(None);

impl Runtime {
    /// Finds a usable library, fetches one if there is none, and loads it; later calls return the same one.
    pub fn load() -> Result<&'static Self, Error> {
        Self::load_once(|| find(true))
    }

    /// As [`Runtime::load`], without fetching anything.
    pub fn load_installed() -> Result<&'static Self, Error> {
        Self::load_once(|| find(false))
    }

    /// Finds and loads a library with the CUDA provider, and what there is of NVIDIA's libraries in Python packages.
    /// It is never fetched unasked: it is large, and useless without a GPU.
    pub fn load_cuda() -> Result<&'static Self, Error> {
        Self::load_once(|| {
            let found = find_cuda()?;
            nvidia::preload();
            Ok(found)
        })
    }

    /// Fetches the library with the CUDA provider, unless it is there already; returns its file.
    pub fn install_cuda() -> Result<PathBuf, Error> {
        match CUDA.cached() {
            Some(library) => Ok(library),
            None => fetch::fetch(&CUDA),
        }
    }

    fn load_once(
        find: impl FnOnce() -> Result<(PathBuf, Origin, String), Error>,
    ) -> Result<&'static Self, Error> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = *loaded {
            return Ok(runtime);
        }
        let (path, origin, version) = find()?;
        let runtime = &*Box::leak(Box::new(Self::open(path, origin, version)?));
        *loaded = Some(runtime);
        Ok(runtime)
    }

    fn open(path: PathBuf, origin: Origin, version: String) -> Result<Self, Error> {
        let builder = ort::init_from(&path).map_err(|error| Error::Runtime {
            problem: format!("`{}` cannot be loaded", path.display()),
            source: Some(error.into()),
        })?;
        let environment = builder
            .with_name("mmfnd")
            .with_telemetry(false)
            .with_logger(Arc::new(log))
            .build()
            .map_err(|error| Error::Runtime {
                problem: format!("`{}` does not start", path.display()),
                source: Some(error.into()),
            })?;
        environment.set_log_level(LogLevel::Error);
        Ok(Self {
            path,
            origin,
            version,
            providers: providers(),
            environment,
        })
    }
}

/// Warnings of ONNX Runtime (unused initialisers, missing GPUs) are not for users.
fn log(level: LogLevel, _category: &str, _id: &str, _place: &str, message: &str) {
    if level >= LogLevel::Error {
        fetch::note(format_args!("onnxruntime: {message}"));
    }
}

fn find(may_fetch: bool) -> Result<(PathBuf, Origin, String), Error> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        let version = usable_version(&path)?;
        return Ok((path, Origin::Variable, version));
    }
    let candidates = [
        (CPU.cached(), Origin::Cache),
        (python_library(), Origin::Python),
    ];
    let mut problem = String::from("none is installed");
    for (path, origin) in candidates {
        let Some(path) = path else { continue };
        match usable_version(&path) {
            Ok(version) => return Ok((path, origin, version)),
            Err(Error::Runtime { problem: why, .. }) => problem = why,
            Err(error) => return Err(error),
        }
    }
    if !may_fetch {
        return Err(Error::Runtime {
            problem,
            source: None,
        });
    }
    let path = fetch::fetch(&CPU)?;
    let version = usable_version(&path)?;
    Ok((path, Origin::Fetched, version))
}

/// The same order, but only libraries that have the CUDA provider beside them.
fn find_cuda() -> Result<(PathBuf, Origin, String), Error> {
    if std::env::var_os("ORT_DYLIB_PATH").is_some_and(|path| !path.is_empty()) {
        return find(false);
    }
    let has_provider = |library: &PathBuf| {
        let folder = library.parent().unwrap_or(Path::new(""));
        CUDA_PROVIDER.iter().all(|name| folder.join(name).is_file())
    };
    let python = || Some((python_library()?, Origin::Python));
    let cached = CUDA.cached().map(|library| (library, Origin::Cache));
    let found = cached.or_else(python);
    match found.filter(|(library, _)| has_provider(library)) {
        Some((library, origin)) => {
            let version = usable_version(&library)?;
            Ok((library, origin, version))
        }
        None => Err(Error::Device {
            device: "cuda".into(),
            source: "no ONNX Runtime with the CUDA provider is installed".into(),
        }),
    }
}

/// Asks Python where its package lies, without importing it. A library below the folder that we were started in is not
/// taken from there, unless our own binary is part of the same installation.
fn python_library() -> Option<PathBuf> {
    const ASK: &str =
        "import importlib.util as u; s = u.find_spec('onnxruntime'); print(s.origin if s else '')";
    Python::all().into_iter().find_map(|python| {
        let origin = python.ask(ASK).pop()?;
        let library = library_in(&origin.parent()?.join("capi"))?;
        let may_be_used = python.is_ours || !is_below_here(&library).unwrap_or(true);
        may_be_used.then_some(library)
    })
}

/// Loads a library just to ask for its version; refuses one that is older than the interface we were built for.
fn usable_version(path: &Path) -> Result<String, Error> {
    let version = version_of(path).map_err(|error| Error::Runtime {
        problem: format!("`{}` is no ONNX Runtime library", path.display()),
        source: Some(error.into()),
    })?;
    let minor = version
        .split('.')
        .nth(1)
        .and_then(|part| part.parse::<u32>().ok());
    match minor {
        Some(minor) if minor >= ort::MINOR_VERSION => Ok(version),
        _ => Err(Error::Runtime {
            problem: format!(
                "`{}` has version {version}, which is too old",
                path.display()
            ),
            source: None,
        }),
    }
}

fn version_of(path: &Path) -> Result<String, libloading::Error> {
    type GetApiBase = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    // SAFETY: the file is one that the user or a package manager installed as ONNX Runtime; its initialisers are
    // run here just as they will be when it is used. The symbol has this type in every version, and the base that it
    // returns is static.
    unsafe {
        let library = libloading::Library::new(path)?;
        let get: libloading::Symbol<GetApiBase> = library.get(b"OrtGetApiBase")?;
        let version = ((*get()).GetVersionString)();
        let version = CStr::from_ptr(version).to_string_lossy().into_owned();
        // Kept open: unloading ONNX Runtime and loading it again is not supported everywhere.
        std::mem::forget(library);
        Ok(version)
    }
}

fn providers() -> Vec<String> {
    let api = ort::api();
    let mut names = std::ptr::null_mut();
    let mut count = 0;
    // SAFETY: both out-pointers are valid; the array has `count` C strings and goes back to its owner once copied.
    unsafe {
        let status = (api.GetAvailableProviders)(&mut names, &mut count);
        if !status.0.is_null() || names.is_null() {
            return Vec::new();
        }
        let copied = (0..usize::try_from(count).unwrap_or(0))
            .map(|i| CStr::from_ptr(*names.add(i)).to_string_lossy().into_owned())
            .collect();
        let _ = (api.ReleaseAvailableProviders)(names, count);
        copied
    }
}
