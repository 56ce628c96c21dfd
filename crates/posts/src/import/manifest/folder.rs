//! Pictures that a manifest names by path; none outside its folder is opened unless that was asked for.

use std::path::{Component, Path, PathBuf};

use super::row::Fault;
use crate::Error;
use crate::import::Reason;

/// The folder of a manifest.
pub(super) struct Folder {
    absolute: PathBuf,
    canonical: PathBuf,
    allow_outside: bool,
}

impl Folder {
    pub(super) fn of(file: &Path, allow_outside: bool) -> Result<Self, Error> {
        let read = |source| Error::Read {
            path: file.to_owned(),
            source,
        };
        let mut absolute = std::path::absolute(file).map_err(read)?;
        absolute.pop();
        Ok(Self {
            canonical: absolute.canonicalize().map_err(read)?,
            absolute,
            allow_outside,
        })
    }

    /// The file of a picture if there is one; links are followed before it is decided where it lies.
    pub(super) fn find(&self, name: &str) -> Result<Option<PathBuf>, Fault> {
        let path = without_dots(&self.absolute.join(name));
        if self.allow_outside {
            return Ok(path.is_file().then_some(path));
        }
        let outside = || {
            let detail = format!("`{name}`; `--allow-outside` permits it");
            Fault::new(Reason::OutsidePath, detail)
        };
        if !path.starts_with(&self.absolute) && !path.starts_with(&self.canonical) {
            return Err(outside());
        }
        match path.canonicalize() {
            Ok(target) if !target.starts_with(&self.canonical) => Err(outside()),
            Ok(target) if target.is_file() => Ok(Some(path)),
            _ => Ok(None),
        }
    }
}

/// `a/./b/../c` is `a/c`, whether or not `b` exists.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain.shrink_to_fit();
    plain
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// `outside.png`, `data/manifest.csv`, `data/in/a.png`.
    fn tree() -> (tempfile::TempDir, Folder) {
        let parent = tempfile::tempdir().unwrap();
        let data = parent.path().join("data");
        std::fs::create_dir_all(data.join("in")).unwrap();
        std::fs::write(parent.path().join("outside.png"), b"").unwrap();
        std::fs::write(data.join("in/a.png"), b"").unwrap();
        let folder = Folder::of(&data.join("manifest.csv"), false).unwrap();
        (parent, folder)
    }

    #[test]
    fn pictures_below_the_folder_are_found() {
        let (parent, folder) = tree();
        let path = parent.path().join("data/in/a.png");
        for name in ["in/a.png", "./in/../in/a.png", path.to_str().unwrap()] {
            assert_eq!(folder.find(name).ok(), Some(Some(path.clone())), "{name}");
        }
        for name in ["in/b.png", "in", "", "https://example.org/a.png", "a\0b"] {
            assert_eq!(folder.find(name).ok(), Some(None), "{name:?}");
        }
    }

    #[test]
    fn paths_out_of_the_folder_are_refused_unless_allowed() {
        let (parent, mut folder) = tree();
        let outside = parent.path().join("outside.png");
        let names = [
            "../outside.png",
            "in/../../outside.png",
            "../../../../../../etc/passwd",
            "/etc/passwd",
            outside.to_str().unwrap(),
        ];
        for name in names {
            assert!(folder.find(name).is_err(), "{name}");
        }
        folder.allow_outside = true;
        assert_eq!(folder.find("../outside.png").ok(), Some(Some(outside)));
    }

    #[cfg(unix)]
    #[test]
    fn links_out_of_the_folder_are_refused_too() {
        let (parent, folder) = tree();
        let link = parent.path().join("data/link.png");
        std::os::unix::fs::symlink(parent.path().join("outside.png"), link).unwrap();
        assert!(folder.find("link.png").is_err());
    }
}
