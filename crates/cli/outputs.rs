//! What commands may write over: never what they read, and no folder that is something else.

use std::path::Path;

use anyhow::bail;

/// What a folder is, by a file that only folders of this kind have. Each writes this file before those that another
/// kind has too, so that it is told after a kill as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    Import,
    Run,
    Store,
    Sweep,
    World,
}

impl Folder {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Import, "import.json", "an imported dataset"),
        (Self::Run, "run.json", "a run"),
        (Self::Store, "store.json", "a feature store"),
        (Self::Sweep, "sweep.json", "a sweep"),
        (Self::World, "facts.jsonl", "a demo world"),
    ];

    /// Refuses a folder that is of another kind, or that holds one of `files`, which this kind writes, without being of
    /// this kind.
    pub(crate) fn check(self, out: &Path, files: &[&str]) -> anyhow::Result<()> {
        let here = |name: &str| out.join(name).symlink_metadata().is_ok();
        let mut is_own = false;
        for (kind, mark, what) in Self::ALL {
            if kind == self {
                is_own = here(mark);
            } else if here(mark) {
                bail!(
                    "`{}` is {what} (it holds `{mark}`), of which files would be replaced; name another folder",
                    out.display()
                );
            }
        }
        match files.iter().find(|name| !is_own && here(name)) {
            None => Ok(()),
            Some(name) => bail!(
                "`{}` holds a file `{name}` that this command did not write and would replace; name another folder",
                out.display()
            ),
        }
    }
}

/// Refuses to replace a file that the command reads, by whatever name, also as part of a folder that it reads.
pub(crate) fn check_file(out: &Path, reads: &[&Path]) -> anyhow::Result<()> {
    if out.is_dir() {
        bail!("`{}` is a folder; name a file", out.display());
    }
    if let Ok(place) = out.canonicalize() {
        let is_read = |read: &&&Path| {
            read.canonicalize()
                .is_ok_and(|read| place.starts_with(read))
        };
        if let Some(read) = reads.iter().find(is_read) {
            bail!(
                "`{}` would be replaced, and this command reads `{}`; name another file",
                out.display(),
                read.display()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_read_is_refused_through_links_and_detours() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("store/parts")).unwrap();
        fs::write(path("posts.parquet"), b"posts").unwrap();
        fs::write(path("store/parts/one"), b"features").unwrap();
        std::os::unix::fs::symlink(path("posts.parquet"), path("link.parquet")).unwrap();
        std::os::unix::fs::symlink(path("store"), path("shelf")).unwrap();
        let (posts, store, link) = (path("posts.parquet"), path("store"), path("link.parquet"));
        let same = ["posts.parquet", "link.parquet", "store/../posts.parquet"];
        for name in same
            .iter()
            .chain(&["store/parts/one", "shelf/parts/one", "shelf"])
        {
            let refused = check_file(&path(name), &[&posts, &store]);
            assert!(refused.is_err(), "{name} may be written");
            let said = format!("{:#}", refused.unwrap_err());
            assert!(said.contains(&path(name).display().to_string()), "{said}");
        }
        assert!(check_file(&posts, &[&link]).is_err());
        for name in ["other.parquet", "store/parts/two", "new/p.csv"] {
            check_file(&path(name), &[&posts, &store]).unwrap();
        }
    }

    #[test]
    fn a_folder_of_another_kind_is_refused_and_one_of_the_same_kind_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        Folder::Import.check(out, &["posts.parquet"]).unwrap();
        fs::write(out.join("posts.parquet"), b"mine").unwrap();
        assert!(Folder::Import.check(out, &["posts.parquet"]).is_err());
        fs::write(out.join("import.json"), b"{}").unwrap();
        Folder::Import.check(out, &["posts.parquet"]).unwrap();
        for other in [Folder::Store, Folder::Run, Folder::Sweep, Folder::World] {
            let said = other.check(out, &[]).unwrap_err().to_string();
            assert!(said.contains("an imported dataset"), "{said}");
        }
    }
}
