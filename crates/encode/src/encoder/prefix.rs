//! How much of a long text decides its first tokens: tokenising megabytes of which 300 tokens are kept takes seconds
//! and hundreds of times the memory of the text.
//!
//! The tokenizers of BERT and CLIP normalise character by character, then cut the text into words from left to right,
//! then cut each word into tokens. So the tokens of a beginning of a text are those of the whole text, but for its last
//! words. Only tokenizers of these kinds are known here; texts of others are tokenised whole.

use std::borrow::Cow;

use serde_json::{Value, json};
use tokenizers::{Encoding, Tokenizer};

/// How CLIP cuts a text into words.
const CLIP_WORDS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// Words at the end of a beginning that the rest of the text may change, were there no added tokens: the last one, and
/// one more since a mark may compose with a letter before it.
const OPEN_WORDS: usize = 3;

/// A run of so many ASCII letters and digits is longer than any word that WordPiece looks at.
const LONG_RUN: usize = 1024;

/// What is known of a tokenizer whose texts need not be read to their end.
#[derive(Debug)]
pub(super) struct Prefixes {
    /// Words at the end of a beginning that the rest of the text may change.
    open_words: usize,
    /// Tokens at the end of a beginning that the rest may change, however long its words are.
    open_tokens: Option<usize>,
    /// Whether all words of more than [`LONG_RUN`] characters are the same token.
    has_longest_word: bool,
}

impl Prefixes {
    /// Of a tokenizer of a known kind.
    pub(super) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let value = |part: Option<Value>| part.unwrap_or(Value::Null);
        let normalizer = value(serde_json::to_value(tokenizer.get_normalizer()).ok());
        let words = value(serde_json::to_value(tokenizer.get_pre_tokenizer()).ok());
        let added = tokenizer.get_added_tokens_decoder();
        let added = added.values().map(|token| token.content.as_str());
        // In a beginning that ends within an added token, each of its characters may be a word.
        let longest = added.clone().map(|token| token.chars().count()).max();
        let longest = longest.unwrap_or(0);
        let open_words = OPEN_WORDS + longest;
        match kind_of_model(tokenizer)? {
            Model::WordPiece { longest_word } if is_bert(&normalizer, &words) => Some(Self {
                open_words,
                open_tokens: None,
                has_longest_word: words["type"] == "BertPreTokenizer"
                    && longest_word < LONG_RUN
                    && !added.clone().any(is_run),
            }),
            Model::Bpe { merges } if is_clip(&normalizer, &words) => Some(Self {
                open_words,
                // Merges are made one kind after the other. Each kind can carry what is unknown, the rest of the text,
                // over one more token to the left: the last known one, if it is the kind's left half.
                open_tokens: Some(merges + 1 + 4 * open_words),
                has_longest_word: false,
            }),
            _ => None,
        }
    }

    /// The text with runs of letters and digits shortened that are one unknown word however long they are.
    pub(super) fn shortened<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.has_longest_word {
            return Cow::Borrowed(text);
        }
        let mut kept = String::new();
        let mut copied = 0;
        let mut start = 0;
        let ends = text.bytes().chain([b' ']).enumerate();
        for (end, _) in ends.filter(|(_, byte)| !byte.is_ascii_alphanumeric()) {
            if end - start > LONG_RUN {
                kept.push_str(&text[copied..start + LONG_RUN]);
                copied = end;
            }
            start = end + 1;
        }
        match copied {
            0 => Cow::Borrowed(text),
            _ => Cow::Owned(kept + &text[copied..]),
        }
    }

    /// How many of the first tokens of a beginning of a text are also those of the text.
    pub(super) fn known(&self, encoding: &Encoding) -> usize {
        let words = encoding.get_word_ids();
        let mut last = None;
        let mut open = 0;
        let by_word = words.iter().rposition(|word| {
            open += usize::from(last.replace(*word) != Some(*word));
            open > self.open_words
        });
        let by_word = by_word.map_or(0, |last| last + 1);
        let by_token = self
            .open_tokens
            .map(|open| words.len().saturating_sub(open));
        by_word.max(by_token.unwrap_or(0))
    }
}

fn is_run(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

enum Model {
    WordPiece {
        /// The most characters of a word that is looked at; a longer one is unknown.
        longest_word: usize,
    },
    Bpe {
        /// At most so many.
        merges: usize,
    },
}

fn kind_of_model(tokenizer: &Tokenizer) -> Option<Model> {
    match tokenizer.get_model() {
        tokenizers::ModelWrapper::WordPiece(model) => Some(Model::WordPiece {
            longest_word: model.max_input_chars_per_word,
        }),
        tokenizers::ModelWrapper::BPE(model) if model.dropout.is_none() && !model.fuse_unk => {
            Some(Model::Bpe {
                // Each merge makes a token of its own.
                merges: tokenizer.get_vocab_size(false),
            })
        }
        _ => None,
    }
}

/// Cleaning, splitting at white space and punctuation; in the demo's also every 24 characters of a word.
fn is_bert(normalizer: &Value, words: &Value) -> bool {
    let pieces = json!([
        {"type": "BertPreTokenizer"},
        {"type": "Split", "pattern": {"Regex": ".{1,24}"}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
    ]);
    let has_pieces = words["type"] == "Sequence" && words["pretokenizers"] == pieces;
    normalizer["type"] == "BertNormalizer" && (words["type"] == "BertPreTokenizer" || has_pieces)
}

fn is_clip(normalizer: &Value, words: &Value) -> bool {
    let spaces = json!({"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "});
    let local = [json!({"type": "NFC"}), spaces, json!({"type": "Lowercase"})];
    let is_local = |steps: &Vec<Value>| steps.iter().all(|step| local.contains(step));
    let steps = normalizer["normalizers"].as_array();
    let split = json!({
        "type": "Split", "pattern": {"Regex": CLIP_WORDS}, "behavior": "Removed", "invert": true
    });
    let [first, second] = [0, 1].map(|step| &words["pretokenizers"][step]);
    steps.is_some_and(is_local)
        && *first == split
        && second["type"] == "ByteLevel"
        && second["add_prefix_space"] == false
        && words["pretokenizers"]
            .as_array()
            .is_some_and(|all| all.len() == 2)
}
