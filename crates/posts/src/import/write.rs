//! The three files of an import.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::imported::Import;
use super::reject::Reject;
use crate::{Error, atomic, write_posts};

impl Import {
    /// Writes `import.json`, `rejects.csv` and, last, `posts.parquet`, each whole or not at all.
    ///
    /// `import.json` comes first since it tells an import's folder from others, after a kill as well.
    pub fn write(&self, out: &Path) -> Result<(), Error> {
        prepare_out(out)?;
        atomic::write(&out.join("import.json"), |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            file.write_all(b"\n")
        })?;
        atomic::write(&out.join("rejects.csv"), |file| {
            write_rejects(file, &self.rejects)
        })?;
        write_posts(&out.join("posts.parquet"), &self.posts)
    }
}

/// Creates the output folder and tries whether it can be written to; asked before the long part.
pub fn prepare_out(out: &Path) -> Result<(), Error> {
    fs::create_dir_all(out)
        .and_then(|()| tempfile::NamedTempFile::new_in(out))
        .and_then(|mut probe| probe.write_all(b"x"))
        .map_err(|source| Error::Write {
            path: out.to_owned(),
            source,
        })
}

fn write_rejects(out: &mut impl Write, rejects: &[Reject]) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(["file", "line", "post_id", "reason", "detail"])?;
    for reject in rejects {
        csv.write_record([
            reject.file.as_str(),
            &reject.line.to_string(),
            reject.post_id.as_deref().unwrap_or_default(),
            reject.reason.as_str(),
            &reject.detail,
        ])?;
    }
    csv.flush()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::import::{Options, manifest};

    fn import(folder: &Path) -> Import {
        let path = folder.join("m.csv");
        fs::write(folder.join("a.png"), b"a").unwrap();
        fs::write(&path, "id,text,image\n1,\"a, b\",a.png\n1,c,a.png\n").unwrap();
        manifest(&path, &Options::default()).unwrap()
    }

    #[test]
    fn the_three_files_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new/out");
        import(folder.path()).write(&out).unwrap();
        let posts = crate::read_posts(&out.join("posts.parquet")).unwrap();
        assert_eq!((posts.len(), posts[0].text.as_str()), (1, "a, b"));
        let rejects = fs::read_to_string(out.join("rejects.csv")).unwrap();
        let expected = "file,line,post_id,reason,detail\n\
                        m.csv,3,1,duplicate id,first on line 2 of m.csv\n";
        assert_eq!(rejects, expected);
        let json = fs::read(out.join("import.json")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["counts"]["rows"], 2);
        assert_eq!(json["counts"]["rejects_by_reason"]["duplicate id"], 1);
        assert_eq!(fs::read_dir(&out).unwrap().count(), 3);
    }

    #[test]
    fn an_output_folder_that_cannot_be_made_is_named_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        fs::write(&out, b"mine").unwrap();
        let error = prepare_out(&out).unwrap_err().to_string();
        assert!(error.contains(out.to_str().unwrap()), "{error}");
        let error = import(folder.path()).write(&out).unwrap_err().to_string();
        assert!(error.contains(out.to_str().unwrap()), "{error}");
        assert_eq!(fs::read(&out).unwrap(), b"mine");
    }
}
