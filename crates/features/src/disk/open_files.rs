//! Files that stay open while there is room: a store may have more parts than the system lets a process open.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

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
        let most = share();
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

/// A file that is read as a whole, or at its end, and closed again. There may be more threads than files that may be
/// open: whoever comes last waits. Nothing that waits for other threads may be done with it.
pub(crate) struct Opened {
    pub(crate) file: File,
    _turn: Turn<'static>,
}

impl Opened {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let turn = TURNS.take(share());
        Ok(Self {
            file: File::open(path)?,
            _turn: turn,
        })
    }
}

/// So many may have a turn at once.
#[derive(Default)]
struct Turns {
    taken: Mutex<usize>,
    given_back: Condvar,
}

static TURNS: Turns = Turns {
    taken: Mutex::new(0),
    given_back: Condvar::new(),
};

struct Turn<'a>(&'a Turns);

impl Turns {
    fn take(&self, most: usize) -> Turn<'_> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= most {
            let woken = self.given_back.wait(taken);
            taken = woken.unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let taken = self.0.taken.lock();
        *taken.unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.given_back.notify_one();
    }
}

/// How many files one reader may have open.
fn share() -> usize {
    static SHARE_OF_LIMIT: OnceLock<usize> = OnceLock::new();
    *SHARE_OF_LIMIT.get_or_init(|| (limit() / SHARE).clamp(1, 512))
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
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::SeqCst;

    use super::*;

    #[test]
    fn of_many_threads_only_some_have_a_turn() {
        let (turns, at_once, most) = (Turns::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| {
                    let _turn = turns.take(3);
                    most.fetch_max(at_once.fetch_add(1, SeqCst) + 1, SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(2));
                    at_once.fetch_sub(1, SeqCst);
                });
            }
        });
        assert!((1..=3).contains(&most.into_inner()));
        assert_eq!(*turns.taken.lock().unwrap(), 0);
    }

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
