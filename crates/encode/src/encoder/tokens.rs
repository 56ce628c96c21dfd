//! From texts to token ids, as Hugging Face's fast tokenizers make them.

use std::path::Path;

use tokenizers::utils::truncation::TruncationDirection;
use tokenizers::{Encoding, PaddingStrategy, PostProcessor, Tokenizer};

use super::prefix::Prefixes;
use crate::error::Error;

/// Counts up whenever a text gets other ids than before from the same `tokenizer.json`. It is part of an encoder's
/// identity, so that features of either kind never stand in one store.
pub(crate) const REVISION: u32 = 1;

/// Bytes of a text that are tokenised first, for each token that is kept.
const BYTES_PER_TOKEN: usize = 64;

/// A tokenizer that cuts at a fixed length and never pads (batches do that).
pub struct Tokens {
    tokenizer: Tokenizer,
    /// Most tokens of the text itself.
    room: usize,
    pad_id: u32,
    prefixes: Option<Prefixes>,
    /// Bytes of a text that are tokenised first.
    first: usize,
}

/// How long a text is in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// Tokens after cutting, special tokens included.
    pub tokens: u32,
    /// Whether something was cut off.
    pub truncated: bool,
}

impl Tokens {
    /// Takes the bytes of a `tokenizer.json`.
    pub fn read(
        encoder: &str,
        (path, bytes): (&Path, &[u8]),
        max_length: usize,
    ) -> Result<Self, Error> {
        let failed = |source| Error::Model {
            encoder: encoder.to_owned(),
            path: path.to_owned(),
            source,
        };
        let tokenizer = Tokenizer::from_bytes(bytes).map_err(failed)?;
        Self::new(tokenizer, max_length).map_err(failed)
    }

    /// Takes a tokenizer as it is, but for its length and padding.
    pub fn new(mut tokenizer: Tokenizer, max_length: usize) -> tokenizers::Result<Self> {
        let own = tokenizer.get_post_processor();
        let own = own.map_or(0, |processor| processor.added_tokens(false));
        if max_length <= own {
            // The library would subtract one from the other, and cut nothing.
            return Err(format!(
                "`max_length` is {max_length}, and the tokenizer adds {own} tokens of its own to every text, which leaves none for the text; raise `max_length` in the preset"
            )
            .into());
        }
        let pad_id = pad_id(&tokenizer);
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None)?;
        Ok(Self {
            prefixes: Prefixes::of(&tokenizer),
            first: (BYTES_PER_TOKEN * max_length).max(4096),
            tokenizer,
            room: max_length - own,
            pad_id,
        })
    }

    /// The id that fills up shorter texts.
    pub fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// Token ids with special tokens, cut at the longest length.
    pub fn ids(&self, text: &str) -> tokenizers::Result<Vec<u32>> {
        let (encoding, _) = self.cut(text)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Length in tokens, for sorting into batches.
    pub fn length(&self, text: &str) -> tokenizers::Result<Length> {
        let (encoding, truncated) = self.cut(text)?;
        Ok(Length {
            tokens: encoding.len() as u32,
            truncated,
        })
    }

    /// A text's tokens, cut, with special tokens; whether something was cut off.
    fn cut(&self, text: &str) -> tokenizers::Result<(Encoding, bool)> {
        let mut encoding = self.enough(text)?;
        let truncated = encoding.len() > self.room;
        encoding.truncate(self.room, 0, TruncationDirection::Right);
        encoding.take_overflowing();
        let encoding = self.tokenizer.post_process(encoding, None, true)?;
        Ok((encoding, truncated))
    }

    /// All tokens of a text, or the first ones, more than are kept. No special tokens are added.
    pub(crate) fn enough(&self, text: &str) -> tokenizers::Result<Encoding> {
        let Some(prefixes) = self.prefixes.as_ref().filter(|_| text.len() > self.first) else {
            return self.tokenizer.encode_fast(text, false);
        };
        let text = prefixes.shortened(text);
        let mut size = self.first;
        while size < text.len() {
            let prefix = &text[..text.floor_char_boundary(size)];
            let mut encoding = self.tokenizer.encode(prefix, false)?;
            let known = prefixes.known(&encoding);
            if known > self.room {
                encoding.truncate(known, 0, TruncationDirection::Right);
                return Ok(encoding);
            }
            size = size.saturating_mul(8);
        }
        self.tokenizer.encode_fast(text.as_ref(), false)
    }
}

/// The tokenizer's own padding token, or the one that BERT or CLIP has.
fn pad_id(tokenizer: &Tokenizer) -> u32 {
    let configured = tokenizer
        .get_padding()
        .filter(|padding| !matches!(padding.strategy, PaddingStrategy::Fixed(0)))
        .map(|padding| padding.pad_id);
    let named = ["[PAD]", "<pad>", "<|endoftext|>"]
        .iter()
        .find_map(|token| tokenizer.token_to_id(token));
    configured.or(named).unwrap_or(0)
}

#[cfg(test)]
impl Tokens {
    /// With another number of bytes that are tokenised first; without, texts are always tokenised whole.
    pub(crate) fn beginning_with(mut self, bytes: Option<usize>) -> Self {
        match bytes {
            Some(bytes) => {
                assert!(self.prefixes.is_some(), "its texts have to be read whole");
                self.first = bytes;
            }
            None => self.prefixes = None,
        }
        self
    }
}
