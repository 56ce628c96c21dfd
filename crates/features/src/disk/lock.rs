//! One writer at a time. The lock is the operating system's and goes with its process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::Error;

/// Name of the lock file, which stays empty.
pub(crate) const LOCK: &str = "lock";

/// Held as long as the value lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a store or says who has it.
    pub(crate) fn take(store: &Path) -> Result<Self, Error> {
        let path = store.join(LOCK);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| Error::write(&path, source))?;
        match try_for_a_second(&file) {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked {
                store: store.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(Error::write(&path, source)),
        }
    }
}

/// Takes the lock of a file. A process that is just being started holds for a moment what its parent, which may be
/// gone, had locked; so a lock that somebody has is tried for a second.
pub fn try_for_a_second(file: &File) -> Result<(), TryLockError> {
    for _ in 0..50 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(20)),
            other => return other,
        }
    }
    file.try_lock()
}
