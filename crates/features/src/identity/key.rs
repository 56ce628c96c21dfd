//! Keys: what a feature is stored under is the content that its encoder saw, not a path or an id.

use std::fmt;

use mmfnd_posts::hash::{sha256, to_hex};

/// The first 16 bytes of the SHA-256 of a content: the bytes of a text or of a picture file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key([u8; Key::BYTES]);

impl Key {
    /// Length of a key.
    pub const BYTES: usize = 16;

    /// The key of a content.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = sha256(bytes);
        Self(std::array::from_fn(|index| digest[index]))
    }

    /// A key that was stored.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes that are stored.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Reads what `Display` writes, and nothing else.
    pub(crate) fn from_hex(hex: &str) -> Option<Self> {
        let is_digit = |c: &u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        if hex.len() != 2 * Self::BYTES || !hex.as_bytes().iter().all(is_digit) {
            return None;
        }
        let number = u128::from_str_radix(hex, 16).ok()?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_head_of_the_sha256() {
        let key = Key::of(b"abc");
        assert_eq!(key.to_string(), "ba7816bf8f01cfea414140de5dae2223");
        assert_eq!(Key::from_hex(&key.to_string()), Some(key));
        assert_eq!(Key::from_bytes(*key.as_bytes()), key);
    }

    #[test]
    fn only_lower_case_hex_of_the_right_length_is_read() {
        let upper = Key::of(b"abc").to_string().to_uppercase();
        for wrong in ["", "ba78", &upper, "+a7816bf8f01cfea414140de5dae2223"] {
            assert_eq!(Key::from_hex(wrong), None, "{wrong}");
        }
    }
}
