//! Tokens: what is cut, what is counted, what is padded.

use std::path::Path;

use super::fakes::tokenizer;
use crate::{Length, Tokens};

/// `tests/golden/tokens.py` wrote the tokenizers, the texts and the ids.
#[test]
fn awkward_texts_have_the_ids_of_hugging_faces_tokenizers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tokens.json");
    let golden: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
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
