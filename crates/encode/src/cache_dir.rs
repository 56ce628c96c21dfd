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

/// Whether nobody but us and the system's administrator can have put there what lies at a path.
#[cfg(unix)]
pub(crate) fn is_ours(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    // A folder that was just made tells whose process this is.
    let us = tempfile::tempdir()?.path().metadata()?.uid();
    let trails = trails_to(path)?;
    Ok(trails.iter().all(|trail| is_closed(trail, us)))
}

/// Owner and mode of each place from the root to a path, as it is named, behind each link, and at its end: who has put
/// a link there decides what lies behind it.
#[cfg(unix)]
fn trails_to(path: &Path) -> std::io::Result<Vec<Vec<(u32, u32)>>> {
    let mut trails = Vec::new();
    let end = path.canonicalize()?;
    follow(&end, &mut trails)?;
    follow(&std::path::absolute(path)?, &mut trails)?;
    Ok(trails)
}

#[cfg(unix)]
fn follow(path: &Path, trails: &mut Vec<Vec<(u32, u32)>>) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    let mut from_root = Vec::new();
    for place in path.ancestors() {
        let found = place.symlink_metadata()?;
        if found.is_symlink() {
            let folder = place.parent().unwrap_or(place);
            follow(&folder.join(place.read_link()?), trails)?;
            // A link's own mode says nothing.
            from_root.insert(0, (found.uid(), 0o755));
        } else {
            from_root.insert(0, (found.uid(), found.mode()));
        }
    }
    trails.push(from_root);
    Ok(())
}

/// Elsewhere the temporary folder is each user's own.
#[cfg(not(unix))]
pub(crate) fn is_ours(_: &Path) -> std::io::Result<bool> {
    Ok(true)
}

/// Below a folder that everyone may write to, such as the temporary one, each folder must be ours and closed to others;
/// owner and mode of each are given, from the root on.
#[cfg(unix)]
fn is_closed(from_root: &[(u32, u32)], us: u32) -> bool {
    let mut is_open = false;
    for (owner, mode) in from_root {
        if is_open && (*owner != us || mode & 0o022 != 0) {
            return false;
        }
        is_open |= mode & 0o002 != 0;
    }
    from_root.last().is_none_or(|(_, mode)| mode & 0o002 == 0)
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn below_a_folder_that_is_open_to_all_only_what_is_ours_alone_is_used() {
        const US: u32 = 1000;
        let (root, temporary) = ((0, 0o755), (0, 0o1777));
        let is_used = |cache, library| is_closed(&[root, temporary, cache, library], US);
        assert!(is_used((US, 0o700), (US, 0o644)));
        assert!(!is_used((US, 0o700), (US, 0o666)), "others may write to it");
        assert!(!is_used((US, 0o770), (US, 0o644)), "others may replace it");
        assert!(!is_used((7, 0o755), (7, 0o644)), "it is another user's");
        assert!(
            !is_closed(&[root, temporary], US),
            "everyone may write there"
        );
        // Where not everyone may write, the administrator's and a group's folders are used as they are.
        assert!(is_closed(&[root, (0, 0o755), (7, 0o775), (7, 0o644)], US));
    }

    #[test]
    fn a_link_that_somebody_put_into_an_open_folder_is_not_followed() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let [open, closed] = [folder.join("open"), folder.join("closed")];
        std::fs::create_dir(&open).unwrap();
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o1777)).unwrap();
        std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o755)).unwrap();
        symlink(&closed, open.join("mmfnd")).unwrap();
        symlink(&closed, folder.join("mmfnd")).unwrap();

        // What lies above the test's folder is left out: the temporary folder is open itself.
        let above = folder.ancestors().count() - 1;
        let is_used = |path: PathBuf, us| {
            let trails = trails_to(&path).unwrap();
            trails.iter().all(|trail| is_closed(&trail[above..], us))
        };
        let us = folder.metadata().unwrap().uid();
        let another = us + 1;
        assert!(is_used(open.join("mmfnd"), us), "the link is ours");
        assert!(!is_used(open.join("mmfnd"), another));
        assert!(is_used(folder.join("mmfnd"), another));
    }
}
