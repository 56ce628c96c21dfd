//! SHA-256 of bytes and of files, and hexadecimal digits.

use std::io::{self, Read};
use std::path::Path;

use crate::files::open_regular;
use sha2::{Digest, Sha256};

/// The SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The SHA-256 of `bytes` as 64 hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    to_hex(&sha256(bytes))
}

/// The first 16 bytes of the SHA-256 of a text, by which millions of texts are told apart in little memory.
pub(crate) fn short(text: &str) -> u128 {
    short_of(&sha256(text.as_bytes()))
}

/// The first 16 bytes of a SHA-256.
pub(crate) fn short_of(hash: &[u8; 32]) -> u128 {
    let (first, _) = hash.split_at(16);
    u128::from_be_bytes(first.try_into().expect("16 bytes were split off"))
}

/// The SHA-256 of a file, which is read in pieces.
pub fn sha256_of_file(path: &Path) -> io::Result<[u8; 32]> {
    let file = open_regular(path)?;
    let length = file.metadata()?.len();
    sha256_of(file.take(length))
}

/// The SHA-256 of what is left to read.
pub fn sha256_of(mut from: impl Read) -> io::Result<[u8; 32]> {
    const PIECE: usize = 64 << 10;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(read) => hash.update(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Lower-case hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_hash_of_its_bytes() {
        let bytes: Vec<u8> = (0..200_000u32).map(|number| number as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(sha256_of_file(&path).unwrap(), sha256(&bytes));
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), abc);
    }
}
