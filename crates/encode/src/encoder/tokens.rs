//! From texts to token ids, as Hugging Face's fast tokenizers make them.

use std::path::Path;

use tokenizers::utils::truncation::{TruncationDirection, TruncationParams, TruncationStrategy};
use tokenizers::{PaddingStrategy, PostProcessor, Tokenizer};

use crate::error::Error;

/// Counts up whenever a text gets other ids than before from the same `tokenizer.json`. It is part of an encoder's
/// identity, so that features of either kind never stand in one store.
pub(crate) const REVISION: u32 = 1;

/// A tokenizer that cuts at a fixed length and never pads (batches do that).
pub struct Tokens {
    tokenizer: Tokenizer,
    pad_id: u32,
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
        tokenizer.with_truncation(Some(TruncationParams {
            max_length,
            direction: TruncationDirection::Right,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
        }))?;
        Ok(Self { tokenizer, pad_id })
    }

    /// The id that fills up shorter texts.
    pub fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// Token ids with special tokens, cut at the longest length.
    pub fn ids(&self, text: &str) -> tokenizers::Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, true)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Length in tokens, for sorting into batches.
    pub fn length(&self, text: &str) -> tokenizers::Result<Length> {
        let encoding = self.tokenizer.encode_fast(text, true)?;
        Ok(Length {
            tokens: encoding.len() as u32,
            truncated: !encoding.get_overflowing().is_empty(),
        })
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
