//! Files that appear complete or not at all: temporary name, fsync, rename, fsync of the folder.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use crate::Error;

/// Writes `path` through `content`; after a failure the file is as it was before and nothing is left beside it.
pub fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Error> {
    replace(path, |file, _| {
        let mut writer = BufWriter::new(file.try_clone()?);
        content(&mut writer)?;
        writer.flush()
    })
}

/// [`write()`], through a function that opens the file by the name which it is given.
pub fn write_by_name(
    path: &Path,
    content: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), Error> {
    replace(path, |_, temporary| content(temporary))
}

fn replace(path: &Path, content: impl FnOnce(&File, &Path) -> io::Result<()>) -> Result<(), Error> {
    replaced(path, content).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

fn replaced(path: &Path, content: impl FnOnce(&File, &Path) -> io::Result<()>) -> io::Result<()> {
    let (file, temporary) = beside(path)?.into_parts();
    content(&file, &temporary)?;
    file.sync_all()?;
    temporary.persist(path)?;
    sync_folder(path)
}

/// A new file in the folder of `path`, hidden and with `.tmp` at its end; it vanishes when it is dropped.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    let mut builder = Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    // As any new file has them: what is temporary of itself only its owner could read.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}

/// Makes a rename in the folder of `path` last; only Unix lets folders be opened for that.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write(&path, |file| file.write_all(b"old")).unwrap();
        let error = write(&path, |file| {
            file.write_all(b"new")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(error.unwrap_err().to_string().contains("a.txt"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn what_a_killed_process_left_is_in_nobody_s_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        // Names of a version before, whose process had our number, as the first of a container always has.
        let left = (0..5_000).map(|number| format!(".a.txt.{}-{number}.tmp", std::process::id()));
        left.for_each(|name| fs::write(folder.path().join(name), b"half").unwrap());
        write(&path, |file| file.write_all(b"whole")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()).len(), 5_001);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_may_be_read_by_whom_any_new_file_may_be() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let (usual, path) = (folder.path().join("usual"), folder.path().join("a.txt"));
        fs::write(&usual, b"").unwrap();
        write(&path, |file| file.write_all(b"")).unwrap();
        let modes = [&usual, &path].map(|path| fs::metadata(path).unwrap().permissions().mode());
        assert_eq!(modes[0], modes[1]);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none/a.txt");
        let error = write(&path, |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("none/a.txt"), "{error}");
    }
}
