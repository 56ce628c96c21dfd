//! Asks Python, never from the folder that we were started in: Python looks for modules there first, and a dataset that
//! was unpacked must not be able to have code of its own run.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Name of the Python that is asked for an installed ONNX Runtime and for pip.
pub(super) const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// A Python that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Python {
    program: OsString,
    /// Whether it lies beside our own binary: a virtual environment, `pipx` or `uv tool` that has us installed.
    pub(super) is_ours: bool,
}

impl Python {
    /// The one beside our own binary, then the one on `PATH`.
    pub(super) fn all() -> Vec<Self> {
        let own = std::env::current_exe().ok();
        let beside = own.and_then(|own| {
            Some(
                own.parent()?
                    .join(PYTHON)
                    .with_extension(std::env::consts::EXE_EXTENSION),
            )
        });
        let beside = beside
            .filter(|program| program.is_file())
            .map(|program| Self {
                program: program.into(),
                is_ours: true,
            });
        let on_path = Self {
            program: PYTHON.into(),
            is_ours: false,
        };
        beside.into_iter().chain([on_path]).collect()
    }

    /// Runs it in an empty folder of our own, so that it finds nothing there, and nothing of the folder that we were
    /// started in where `PYTHONPATH` names that one.
    pub(super) fn run(&self, arguments: &[&str]) -> io::Result<Output> {
        let empty = tempfile::tempdir()?;
        let mut command = Command::new(&self.program);
        // Since Python 3.11 the folder is then not even looked at.
        command.args(arguments).env("PYTHONSAFEPATH", "1");
        if let Some(modules) = std::env::var_os("PYTHONPATH") {
            let kept = std::env::split_paths(&modules)
                .filter(|folder| folder.is_absolute() && !is_below_here(folder).unwrap_or(false));
            // Names that were split can be joined again.
            command.env("PYTHONPATH", std::env::join_paths(kept).unwrap_or_default());
        }
        command.current_dir(empty.path()).output()
    }

    /// The lines that a script prints; none where it cannot be run.
    pub(super) fn ask(&self, script: &str) -> Vec<PathBuf> {
        let Ok(output) = self.run(&["-c", script]) else {
            return Vec::new();
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = said.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty())
            .map(PathBuf::from)
            .collect()
    }
}

/// Whether a file lies below the folder that we were started in. The root and the home folder, below which everything
/// of ours lies, do not count.
pub(super) fn is_below_here(file: &Path) -> io::Result<bool> {
    let here = std::env::current_dir()?.canonicalize()?;
    let home = std::env::var_os("HOME").map(PathBuf::from);
    Ok(is_below(&file.canonicalize()?, &here, home.as_deref()))
}

fn is_below(file: &Path, here: &Path, home: Option<&Path>) -> bool {
    let holds_all = here.parent().is_none() || home.is_some_and(|home| home.starts_with(here));
    !holds_all && file.starts_with(here)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_that_we_were_started_in_is_known_by_its_files() {
        let below =
            |file, here| is_below(Path::new(file), Path::new(here), Some(Path::new("/home/a")));
        assert!(below("/data/set/onnxruntime/capi/l.so", "/data/set"));
        assert!(below("/home/a/set/onnxruntime/capi/l.so", "/home/a/set"));
        assert!(!below("/usr/lib/l.so", "/data/set"));
        assert!(!below("/home/a/.local/l.so", "/home/a"));
        assert!(!below("/usr/lib/l.so", "/"));
    }

    /// The test starts itself again in a folder whose modules Python must not find.
    #[test]
    fn python_finds_nothing_in_the_folder_that_we_were_started_in() {
        const CHILD: &str = "MMFND_TEST_PYTHON";
        if std::env::var_os(CHILD).is_some() {
            let python = Python::all().pop().unwrap();
            let found = python.ask("import importlib.util as u; print(u.find_spec('planted_by_a_dataset') is not None)");
            assert_eq!(found, [PathBuf::from("False")]);
            let pip = python.run(&["-m", "planted_by_a_dataset"]).unwrap();
            assert!(!pip.status.success());
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("planted_by_a_dataset.py"),
            "print('run')",
        )
        .unwrap();
        let test =
            "onnx::python::tests::python_finds_nothing_in_the_folder_that_we_were_started_in";
        for modules in [Path::new(""), Path::new("."), folder.path()] {
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", test])
                .current_dir(folder.path())
                .env(CHILD, "1")
                .env("PYTHONPATH", modules)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stdout);
            assert!(
                child.status.success() && said.contains("1 passed"),
                "`PYTHONPATH={}`: {said}",
                modules.display()
            );
        }
    }
}
