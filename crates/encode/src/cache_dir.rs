//! The folder that keeps what is fetched or read once, and whether what lies there may be run.

use std::path::{Path, PathBuf};

/// Our cache: `$MMFND_CACHE`, else `$XDG_CACHE_HOME/mmfnd`, else `~/.cache/mmfnd`, else `mmfnd` in the temporary
/// folder.
///
/// Relative values of `XDG_CACHE_HOME` and `HOME` do not count: they would mean whatever folder we were started in.
pub fn cache_dir() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(own) = variable("MMFND_CACHE") {
        return own.into();
    }
    let absolute = |name| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = absolute("XDG_CACHE_HOME").or_else(|| {
        let home = absolute("HOME").or_else(|| absolute("USERPROFILE"))?;
        Some(home.join(".cache"))
    });
    base.unwrap_or_else(std::env::temp_dir).join("mmfnd")
}

/// Makes the cache, for us alone where it is new.
pub(crate) fn create() -> std::io::Result<PathBuf> {
    let folder = cache_dir();
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder)?;
    Ok(folder)
}

/// Whether nobody but us and the system's administrator can have put there what lies at a path. Below a folder that
/// everyone may write to, such as the temporary one, each folder must be ours and closed to others.
#[cfg(unix)]
pub(crate) fn is_ours(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    // A folder that was just made tells whose process this is.
    let us = tempfile::tempdir()?.path().metadata()?.uid();
    let path = path.canonicalize()?;
    let mut is_open = false;
    let from_root: Vec<&Path> = path.ancestors().collect();
    for place in from_root.into_iter().rev() {
        let found = place.metadata()?;
        let is_ours_alone = found.uid() == us && found.mode() & 0o022 == 0;
        if is_open && !is_ours_alone {
            return Ok(false);
        }
        is_open |= found.mode() & 0o002 != 0;
    }
    Ok(!path.metadata().is_ok_and(|found| found.mode() & 0o002 != 0))
}

/// Elsewhere the temporary folder is each user's own.
#[cfg(not(unix))]
pub(crate) fn is_ours(_: &Path) -> std::io::Result<bool> {
    Ok(true)
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::{create_dir, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn below_a_folder_that_is_open_to_all_only_what_is_ours_alone_is_used() {
        let open_to_all = tempfile::tempdir().unwrap();
        let mode =
            |path: &Path, mode| set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        mode(open_to_all.path(), 0o1777);
        let cache = open_to_all.path().join("mmfnd");
        create_dir(&cache).unwrap();
        let library = cache.join("libonnxruntime.so.1");
        write(&library, "x").unwrap();
        mode(&cache, 0o700);
        mode(&library, 0o644);
        assert!(is_ours(&library).unwrap());
        mode(&library, 0o666);
        assert!(!is_ours(&library).unwrap(), "others may write to it");
        mode(&library, 0o644);
        mode(&cache, 0o770);
        assert!(
            !is_ours(&library).unwrap(),
            "others may put another one there"
        );
        assert!(
            !is_ours(open_to_all.path()).unwrap(),
            "everyone may write there"
        );
    }
}
