//! A link: which contents one post consists of.

use crate::identity::{Input, Key};

/// The contents of one post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The post.
    pub post_id: String,
    /// Hash of everything that the link was computed from; as long as it stays, so does the link.
    pub source_key: Key,
    /// Key of the text.
    pub text_key: Key,
    /// Key of the text with the text found in the picture.
    pub text_ocr_key: Key,
    /// Key of the picture that is used; `None` when none can be.
    pub image_key: Option<Key>,
    /// Path of that picture, for people.
    pub image: Option<String>,
    /// Why no picture can be used.
    pub reason: Option<String>,
}

impl Link {
    /// Hash of all that it says.
    pub(super) fn digest(&self) -> Key {
        let image = self
            .image_key
            .map_or([0; Key::BYTES], |key| *key.as_bytes());
        let keys = [self.source_key, self.text_key, self.text_ocr_key];
        let mut bytes: Vec<u8> = keys.iter().flat_map(|key| *key.as_bytes()).collect();
        bytes.push(u8::from(self.image_key.is_some()));
        bytes.extend(image);
        for text in [&self.image, &self.reason] {
            // Its length first, so that no two links are written the same.
            let length = text.as_ref().map_or(u64::MAX, |text| text.len() as u64);
            bytes.extend(length.to_le_bytes());
            bytes.extend(text.iter().flat_map(|text| text.bytes()));
        }
        Key::of(&bytes)
    }
}

/// Keys of the contents of one post.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PostKeys {
    pub(super) text: Key,
    pub(super) text_ocr: Key,
    /// Key of the picture.
    pub(crate) image: Option<Key>,
}

impl PostKeys {
    /// The key of the content that an encoder with this input sees.
    pub(crate) fn of(&self, input: Input) -> Option<Key> {
        match input {
            Input::Text => Some(self.text),
            Input::TextOcr => Some(self.text_ocr),
            Input::Image => self.image,
        }
    }

    /// Whether text from the picture stands behind the post's own.
    pub(crate) fn has_ocr(&self) -> bool {
        self.text_ocr != self.text
    }
}
