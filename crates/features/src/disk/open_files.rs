//! Files that stay open while there is room: a store may have more parts than the system lets a process open.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Error;

/// Of the files that a process may open, the share of one reader: a store has some encoders, each with a reader, and
/// the rest of the program needs some as well.
const SHARE: usize = 12;

/// Where the limit is not known: the smallest that is usual.
const USUAL: usize = 256;

/// Files that are read at places, by their numbers; those that were not used for the longest time are closed.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    most: usize,
    /// The one that was used last stands last.
    open: Mutex<Vec<(usize, Arc<File>)>>,
}

impl OpenFiles {
    /// The files with these paths, numbered from 0. As many as may be open are opened: they can be read even if their
    /// names go.
    pub(crate) fn of<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<Self, Error> {
        let most = (limit() / SHARE).clamp(1, 512);
        let open = paths.take(most).enumerate().map(|(number, path)| {
            let file = File::open(path).map_err(|source| Error::read(path, source))?;
            Ok((number, Arc::new(file)))
        });
        let open = Mutex::new(open.collect::<Result<_, Error>>()?);
        Ok(Self { most, open })
    }

    /// Reads at a place of the file that has this number and path.
    pub(crate) fn read(
        &self,
        (number, path): (usize, &Path),
        offset: u64,
        bytes: &mut [u8],
    ) -> io::Result<()> {
        read_at(&*self.get(number, path)?, offset, bytes)
    }

    fn get(&self, number: usize, path: &Path) -> io::Result<Arc<File>> {
        // Whoever panicked with it left a list of open files all the same.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let known = open.iter().rposition(|(known, _)| *known == number);
        let file = match known {
            Some(at) => open.remove(at).1,
            None => {
                let surplus = (open.len() + 1).saturating_sub(self.most);
                open.drain(..surplus);
                Arc::new(File::open(path)?)
            }
        };
        open.push((number, file.clone()));
        Ok(file)
    }
}

/// How many files this process may have open.
fn limit() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let mut lines = limits.lines();
    let soft = lines.find_map(|line| {
        line.strip_prefix("Max open files")?
            .split_whitespace()
            .next()
    });
    soft.and_then(|soft| soft.parse().ok()).unwrap_or(USUAL)
}

/// Reads at a place without moving the file's own, which threads share.
#[cfg(unix)]
fn read_at(file: &File, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut offset: u64, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        offset += read as u64;
        bytes = &mut bytes[read..];
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn few_files_are_open_and_all_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let files = OpenFiles {
            most: 3,
            open: Mutex::default(),
        };
        let path = |number: usize| folder.path().join(number.to_string());
        (0..10).for_each(|number| fs::write(path(number), [0, number as u8]).unwrap());
        for number in [0, 1, 2, 0, 3, 4, 0, 9, 8, 0, 7] {
            let mut byte = [0];
            files.read((number, &path(number)), 1, &mut byte).unwrap();
            assert_eq!(usize::from(byte[0]), number);
        }
        let open: Vec<_> = files.open.lock().unwrap().iter().map(|(n, _)| *n).collect();
        assert_eq!(open, [8, 0, 7]);
        fs::remove_file(path(0)).unwrap();
        files.read((0, &path(0)), 1, &mut [0]).unwrap();
        assert!(files.read((0, &path(0)), 2, &mut [0]).is_err());
    }
}
