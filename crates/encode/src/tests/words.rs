//! Tokens: what is cut, what is counted, what is padded.

use std::path::Path;

use mmfnd_posts::hash::sha256_hex;

use super::fakes::tokenizer;
use crate::encoder::TOKENS_REVISION;
use crate::{Length, Tokens};

/// `tests/golden/tokens.py` wrote the tokenizers, the texts and the ids.
pub(super) fn golden() -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tokens.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn awkward_texts_have_the_ids_of_hugging_faces_tokenizers() {
    let golden = golden();
    let texts = golden["texts"].as_array().unwrap();
    assert!(texts.len() > 20);
    for (kind, pad_id) in [("bert", 0), ("clip", 528)] {
        let golden = &golden[kind];
        let max_length = golden["max_length"].as_u64().unwrap() as usize;
        let tokenizer = golden["tokenizer"].to_string().parse().unwrap();
        let tokens = Tokens::new(tokenizer, max_length).unwrap();
        assert_eq!(tokens.pad_id(), pad_id);
        for (text, expected) in texts.iter().zip(golden["ids"].as_array().unwrap()) {
            let text = text.as_str().unwrap();
            let expected: Vec<u32> = serde_json::from_value(expected.clone()).unwrap();
            assert_eq!(tokens.ids(text).unwrap(), expected, "{kind}: {text:?}");
            assert_eq!(tokens.length(text).unwrap().tokens as usize, expected.len());
        }
    }
}

/// SHA-256 of what the golden texts become, of each revision. Ids that are no longer those of the last line get a line
/// of their own and a new `REVISION`; the last line is replaced only where golden texts were added or taken away and
/// all others stayed as they were.
const MADE: [&str; 1] = ["fb3d8c985df199e4c496dff2551f30f9284e3f1cb26baf7cdd97dbfe0f954570"];

#[test]
fn other_ids_are_another_revision() {
    let golden = golden();
    let mut made = String::new();
    for kind in ["bert", "clip"] {
        let tokenizer = golden[kind]["tokenizer"].to_string().parse().unwrap();
        let tokens = Tokens::new(tokenizer, 24).unwrap();
        for text in golden["texts"].as_array().unwrap() {
            let text = text.as_str().unwrap();
            made += &format!("{text:?} {:?}\n", tokens.ids(text).unwrap());
        }
    }
    assert_eq!(
        MADE.len(),
        TOKENS_REVISION as usize,
        "a line for each revision"
    );
    let made = sha256_hex(made.as_bytes());
    assert_eq!(
        made,
        *MADE.last().unwrap(),
        "raise `REVISION` where ids changed"
    );
    let mut distinct = MADE.to_vec();
    distinct.dedup();
    assert_eq!(
        distinct.len(),
        MADE.len(),
        "a revision that changes nothing"
    );
}

#[test]
fn texts_are_cut_with_their_last_token_kept() {
    let tokens = Tokens::new(tokenizer(), 6).unwrap();
    assert_eq!(tokens.ids("ab").unwrap(), [2, 4, 7, 3]);
    let long = tokens.ids("abcdefgh").unwrap();
    assert_eq!((long.len(), long[0], long[5]), (6, 2, 3));
}

#[test]
fn a_length_that_the_tokenizers_own_tokens_fill_is_refused() {
    for max_length in [0, 1, 2] {
        let refused = Tokens::new(tokenizer(), max_length).err();
        let said = refused.expect("it leaves no room").to_string();
        let expected = format!("`max_length` is {max_length}, and the tokenizer adds 2 tokens");
        assert!(said.contains(&expected), "{said}");
    }
    let tokens = Tokens::new(tokenizer(), 3).unwrap();
    assert_eq!(tokens.ids("abc").unwrap(), [2, 4, 3]);
}

#[test]
fn a_length_is_that_of_the_ids_and_says_whether_something_was_cut_off() {
    let tokens = Tokens::new(tokenizer(), 6).unwrap();
    let length = |tokens, truncated| Length { tokens, truncated };
    assert_eq!(tokens.length("abcd").unwrap(), length(6, false));
    assert_eq!(tokens.length("abcde").unwrap(), length(6, true));
    assert_eq!(tokens.length("").unwrap(), length(2, false));
    assert_eq!(tokens.ids("").unwrap(), [2, 3]);
}

#[test]
fn characters_without_a_word_are_unknown_and_nothing_worse() {
    let tokens = Tokens::new(tokenizer(), 16).unwrap();
    assert_eq!(
        tokens.ids("\u{1F600}\u{0} \u{FFFF}").unwrap().first(),
        Some(&2)
    );
    assert_eq!(tokens.pad_id(), 0);
}

proptest::proptest! {
    #[test]
    fn any_text_has_ids_of_its_length(text in "\\PC{0,200}") {
        let tokens = Tokens::new(tokenizer(), 20).unwrap();
        let ids = tokens.ids(&text).unwrap();
        proptest::prop_assert_eq!(ids.len() as u32, tokens.length(&text).unwrap().tokens);
        proptest::prop_assert!((2..=20).contains(&ids.len()));
    }
}
