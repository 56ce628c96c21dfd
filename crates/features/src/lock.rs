//! One writer at a time. The lock is the operating system's and goes with its process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

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
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked {
                store: store.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(Error::write(&path, source)),
        }
    }
}
