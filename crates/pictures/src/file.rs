//! A picture's file: only what is a regular file of a bearable length is read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use crate::refusal::{MAX_BYTES, Refusal};

/// Reads a picture's file, and no further than it was long when it was opened: the kernel has files that never end, and
/// say that they hold nothing.
pub fn read(path: &Path) -> Result<Vec<u8>, Refusal> {
    size(path)?;
    let file = open(path).map_err(unreadable)?;
    // Once more of what was opened: another file may have taken its name.
    let length = length(&file.metadata().map_err(unreadable)?)?;
    let mut bytes = Vec::new();
    file.take(length)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// Bytes of a file that [`read`] would read.
pub fn size(path: &Path) -> Result<u64, Refusal> {
    match path.metadata() {
        Ok(found) => length(&found),
        Err(error) => Err(unreadable(error)),
    }
}

fn length(found: &Metadata) -> Result<u64, Refusal> {
    match found.len() {
        _ if !found.is_file() => Err(Refusal::Missing),
        long if long > MAX_BYTES => Err(Refusal::TooManyBytes(long)),
        length => Ok(length),
    }
}

/// Without waiting for a writer, should it be a named pipe by now.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        const O_NONBLOCK: i32 = if cfg!(target_os = "linux") { 0o4000 } else { 4 };
        options.custom_flags(O_NONBLOCK);
    }
    options.open(path)
}

fn unreadable(error: io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::NotFound => Refusal::Missing,
        kind => Refusal::Unreadable(kind.to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn an_endless_file_of_the_kernel_ends() {
        // It says that it is empty, and could be read for ever.
        let endless = Path::new("/proc/self/mem");
        assert_eq!(read(endless), Ok(Vec::new()));
        assert_eq!(read(Path::new("/dev/zero")), Err(Refusal::Missing));
    }
}
