//! What the fuzz targets share: a folder in memory for the parsers that read files, and inputs that are several files.

pub mod fixture;
#[cfg(feature = "train")]
pub mod training;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A folder of this process, in memory where the system has such a place.
pub fn scratch() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let parent = match memory.is_dir() {
            true => memory.to_owned(),
            false => std::env::temp_dir(),
        };
        let folder = parent.join(format!("mmfnd-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the folder can be made");
        folder.canonicalize().expect("it was just made")
    })
}

/// Writes a file below [`scratch`], with the folders above it.
pub fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = scratch().join(name);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("it can be made");
    fs::write(&path, bytes).expect("it can be written");
    path
}

/// The files of an input: pieces between zero bytes, which no text file has.
pub fn pieces(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == 0)
}

/// The input's first byte, which says what the rest is.
pub fn selected(data: &[u8]) -> (u8, &[u8]) {
    data.split_first()
        .map_or((0, data), |(first, rest)| (*first, rest))
}

/// SHA-256 as hexadecimal digits: a file that carries its own is parsed only where it fits.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Readers of pictures and of Parquet may panic, which the program catches; libFuzzer's hook would end the process before. What is not caught still does.
pub fn let_panics_be_caught() {
    let libfuzzers = std::panic::take_hook();
    drop(libfuzzers);
    std::panic::set_hook(Box::new(|_| ()));
}

/// A folder whose files are put back before each input.
pub struct Template {
    folder: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Template {
    /// Remembers what stands in a folder.
    pub fn of(folder: &Path) -> Self {
        let mut files = Vec::new();
        collect(folder, &mut files);
        Self {
            folder: folder.to_owned(),
            files,
        }
    }

    /// Makes the folder what it was.
    pub fn restore(&self) {
        let mut found = Vec::new();
        collect(&self.folder, &mut found);
        for (path, _) in found.iter().filter(|file| !self.files.contains(file)) {
            fs::remove_file(path).expect("it can be removed");
        }
        for (path, bytes) in self.files.iter().filter(|file| !found.contains(file)) {
            fs::create_dir_all(path.parent().expect("it lies in a folder"))
                .expect("it can be made");
            fs::write(path, bytes).expect("it can be written");
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("it is there").flatten() {
        match entry.path() {
            path if path.is_dir() => collect(&path, files),
            path => {
                let bytes = fs::read(&path).expect("it can be read");
                files.push((path, bytes));
            }
        }
    }
}
