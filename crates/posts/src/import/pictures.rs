//! The pictures below a folder, found by what they are called; nothing outside the folder is ever opened.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::Error;

/// Endings that say that a file is a picture, or claims to be: what is broken is found when it is decoded.
const ENDINGS: [&str; 12] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "gif", "webp", "bmp", "tif", "tiff", "avif", "heic",
];

/// Files below a folder by name and by name without ending.
#[derive(Default)]
pub(super) struct Pictures {
    by_name: HashMap<String, Vec<PathBuf>>,
    by_stem: HashMap<String, Vec<PathBuf>>,
    /// The same in lower case: for copies that went through a file system without cases.
    by_lower_stem: HashMap<String, Vec<PathBuf>>,
    /// Symbolic links that lead out of the folder.
    pub links_not_followed: usize,
}

impl Pictures {
    /// Indexes the tree once. Hidden files are left out, and links that lead out of `root`.
    pub(super) fn below(root: &Path) -> Result<Self, Error> {
        let mut index = Self::default();
        let read = |source| Error::Read {
            path: root.to_owned(),
            source,
        };
        let canonical = root.canonicalize().map_err(read)?;
        index.walk(root, &canonical)?;
        Ok(index)
    }

    /// The picture with this id, whatever its ending; of several the first by path.
    ///
    /// Files of unknown ending count if they begin as a picture does: MediaEval keeps the links
    /// to its videos in `ID.txt`.
    pub(super) fn by_id(&self, id: &str) -> Option<&PathBuf> {
        let candidates = self
            .by_stem
            .get(id)
            .or_else(|| self.by_name.get(id))
            .or_else(|| self.by_lower_stem.get(&id.to_lowercase()))?;
        let named = candidates.iter().find(|path| has_picture_ending(path));
        named.or_else(|| candidates.iter().find(|path| begins_as_picture(path)))
    }

    /// The file of this name; of several the one below `preferred`, else the first by path.
    pub(super) fn by_name(&self, name: &str, preferred: &Path) -> Option<&PathBuf> {
        let candidates = self.by_name.get(name)?;
        let inside = candidates.iter().find(|path| path.starts_with(preferred));
        inside.or(candidates.first())
    }

    /// Folders are walked in the order of their names, so that an import repeats itself.
    fn walk(&mut self, folder: &Path, canonical: &Path) -> Result<(), Error> {
        let read = |source| Error::Read {
            path: folder.to_owned(),
            source,
        };
        let entries: io::Result<Vec<_>> = fs::read_dir(folder).map_err(read)?.collect();
        let mut entries = entries.map_err(read)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            // A name that is not UTF-8 can be no id, and could not be written into posts.parquet.
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
                continue;
            };
            let kind = entry.file_type().map_err(read)?;
            if kind.is_dir() {
                self.walk(&entry.path(), canonical)?;
            } else if kind.is_file() {
                self.add(name, entry.path());
            } else if kind.is_symlink() {
                self.add_link(name, entry.path(), canonical);
            }
        }
        Ok(())
    }

    /// A link to a file within the tree counts as a file; what a link to a folder within the tree shows is found
    /// anyway.
    fn add_link(&mut self, name: &str, link: PathBuf, canonical: &Path) {
        match link.canonicalize() {
            Ok(target) if !target.starts_with(canonical) => self.links_not_followed += 1,
            Ok(target) if target.is_file() => self.add(name, link),
            _ => {}
        }
    }

    fn add(&mut self, name: &str, path: PathBuf) {
        let stem = Path::new(name)
            .file_stem()
            .and_then(OsStr::to_str)
            .unwrap_or(name);
        let lower = stem.to_lowercase();
        self.by_lower_stem
            .entry(lower)
            .or_default()
            .push(path.clone());
        self.by_stem
            .entry(stem.to_owned())
            .or_default()
            .push(path.clone());
        self.by_name.entry(name.to_owned()).or_default().push(path);
    }
}

fn has_picture_ending(path: &Path) -> bool {
    path.extension()
        .and_then(OsStr::to_str)
        .is_some_and(|ending| ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
}

fn begins_as_picture(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(32).read_to_end(&mut head));
    read.is_ok() && image::guess_format(&head).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

    fn tree(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Pictures) {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let pictures = Pictures::below(folder.path()).unwrap();
        (folder, pictures)
    }

    #[test]
    fn a_picture_is_found_by_id_at_any_depth_and_with_any_ending() {
        let files: [(&str, &[u8]); 3] = [("a/b/x_1.jpeg", b""), ("y.PNG", b""), ("z.dat", PNG)];
        let (folder, pictures) = tree(&files);
        for (id, file) in [("x_1", "a/b/x_1.jpeg"), ("y", "y.PNG"), ("z", "z.dat")] {
            assert_eq!(pictures.by_id(id), Some(&folder.path().join(file)));
        }
    }

    #[test]
    fn the_text_file_of_a_video_is_no_picture() {
        let (_folder, pictures) = tree(&[("eagle_kid_1.txt", b"id\turl\n")]);
        assert_eq!(pictures.by_id("eagle_kid_1"), None);
    }

    #[test]
    fn exact_case_goes_before_any_case() {
        let (folder, pictures) = tree(&[("a/Ab.jpg", b""), ("b/ab.jpg", b"")]);
        assert_eq!(pictures.by_id("ab"), Some(&folder.path().join("b/ab.jpg")));
        assert_eq!(pictures.by_id("AB"), Some(&folder.path().join("a/Ab.jpg")));
    }

    #[test]
    fn ids_with_paths_in_them_find_nothing() {
        let (folder, pictures) = tree(&[("root/a.jpg", b""), (".hidden.jpg", b"")]);
        fs::write(folder.path().join("secret.jpg"), b"").unwrap();
        let absolute = folder.path().join("secret").display().to_string();
        for id in [
            "../secret",
            "root/a",
            "..",
            ".",
            "",
            &absolute,
            ".hidden",
            "a\0",
        ] {
            assert_eq!(pictures.by_id(id), None, "{id}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_out_of_the_tree_are_counted_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("a.jpg"), b"").unwrap();
        fs::write(root.join("b.jpg"), b"").unwrap();
        for (target, link) in [
            (outside.clone(), "folder"),
            (outside.join("a.jpg"), "a.jpg"),
            (root.join("b.jpg"), "c.jpg"),
            (root.clone(), "loop"),
        ] {
            std::os::unix::fs::symlink(target, root.join(link)).unwrap();
        }
        let pictures = Pictures::below(&root).unwrap();
        assert_eq!(pictures.by_id("a"), None);
        assert!(pictures.by_id("c").is_some());
        assert_eq!(pictures.links_not_followed, 2);
    }
}
