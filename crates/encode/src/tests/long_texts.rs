//! Long texts, of which a beginning is enough: the ids are those of whole tokenisation.

use std::io::Read;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fakes::tokenizer;
use super::words::golden;
use crate::Tokens;

/// What texts are put together from: words, marks that compose with what stands before, characters that are removed,
/// tokens of the tokenizers themselves, whole and cut, and runs that are longer than any word.
const PIECES: [&str; 40] = [
    "the ",
    "dog",
    "unbelievable",
    " in the sea ",
    "storm!",
    "'s",
    "'",
    "s",
    "<|",
    "<|endoftext|>",
    "<|endoftex",
    "[MASK]",
    "[MASK",
    "]",
    "[SEP] ",
    "12",
    "1",
    " ",
    "\n",
    "\t\t",
    "\u{a0}",
    "\u{200b}",
    "\0",
    "caf\u{e9}",
    "e",
    "\u{301}",
    "\u{327}\u{301}",
    "\u{0130}",
    "\u{03a3} ",
    "\u{4e2d}\u{6587}",
    "\u{fa0c}",
    "\u{1f600}",
    "\u{1f468}\u{200d}",
    "http://t.co/AbC",
    "#Sandy",
    "?!?!",
    "\u{1100}\u{1161}\u{11a8}",
    "\u{0627}\u{0644}",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "\u{2028}",
];

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        12 => prop::sample::select(PIECES.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{0,30}",
        1 => (prop::sample::select(PIECES.to_vec()), 1..600usize).prop_map(|(piece, times)| piece.repeat(times)),
    ];
    prop::collection::vec(piece, 0..300).prop_map(|pieces| pieces.concat())
}

/// Tokenizers whose texts need not be read to their end, by name.
fn tokenizers() -> Vec<(String, Value)> {
    let golden = golden();
    let mut all: Vec<_> = ["bert", "clip"]
        .map(|kind| (format!("golden {kind}"), golden[kind]["tokenizer"].clone()))
        .into();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/demo/bert.tokenizer.json");
    let demo = std::fs::read_to_string(demo).unwrap();
    all.push(("demo".into(), serde_json::from_str(&demo).unwrap()));
    all.extend(published());
    all
}

/// The tokenizers of the presets `twitter` and `weibo`, where their vocabularies are.
fn published() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vocab");
    if !folder.is_dir() {
        eprintln!(
            "`{}` is not there: not run on the published vocabularies",
            folder.display()
        );
        return Vec::new();
    }
    let golden = golden();
    let bert = |file: &str| {
        let words = std::fs::read_to_string(folder.join(file)).unwrap();
        let words = words.strip_suffix('\n').unwrap_or(&words);
        let words = words
            .split('\n')
            .enumerate()
            .map(|(id, word)| (word.to_owned(), json!(id)));
        let mut tokenizer = golden["bert"]["tokenizer"].clone();
        tokenizer["model"]["vocab"] = Value::Object(words.collect());
        let vocab = tokenizer["model"]["vocab"].clone();
        for token in tokenizer["added_tokens"].as_array_mut().unwrap() {
            token["id"] = vocab[token["content"].as_str().unwrap()].clone();
        }
        (file.to_owned(), tokenizer)
    };
    vec![
        bert("bert-base-uncased_vocab.txt"),
        bert("bert-base-chinese_vocab.txt"),
        clip(&folder.join("bpe_simple_vocab_16e6.txt.gz"), &golden),
    ]
}

/// CLIP's, as `models/checkpoints.py` makes it from the merges that OpenAI published.
fn clip(merges: &PathBuf, golden: &Value) -> (String, Value) {
    let mut text = String::new();
    let file = std::fs::File::open(merges).unwrap();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    let merges: Vec<(&str, &str)> = text
        .split('\n')
        .skip(1)
        .take(49_152 - 256 - 2)
        .map(|line| line.split_once(' ').unwrap())
        .collect();
    let printable = (u32::from(b'!')..=u32::from(b'~'))
        .chain(0xA1..=0xAC)
        .chain(0xAE..=0xFF);
    let mut alphabet: Vec<String> = printable
        .map(|c| char::from_u32(c).unwrap().to_string())
        .collect();
    let others = 256 - alphabet.len() as u32;
    alphabet.extend((0..others).map(|c| char::from_u32(256 + c).unwrap().to_string()));
    let ends = alphabet.iter().map(|c| format!("{c}</w>"));
    let merged = merges.iter().map(|(left, right)| format!("{left}{right}"));
    let words = alphabet.iter().cloned().chain(ends).chain(merged);
    let words = words.chain(["<|startoftext|>".into(), "<|endoftext|>".into()]);
    let vocab: serde_json::Map<_, _> = words
        .enumerate()
        .map(|(id, word)| (word, json!(id)))
        .collect();
    let mut tokenizer = golden["clip"]["tokenizer"].clone();
    for token in tokenizer["added_tokens"].as_array_mut().unwrap() {
        token["id"] = vocab[token["content"].as_str().unwrap()].clone();
    }
    for token in ["sep", "cls"] {
        let name = tokenizer["post_processor"][token][0]
            .as_str()
            .unwrap()
            .to_owned();
        tokenizer["post_processor"][token][1] = vocab[&name].clone();
    }
    tokenizer["model"]["vocab"] = Value::Object(vocab);
    tokenizer["model"]["merges"] = json!(merges);
    ("bpe_simple_vocab_16e6".into(), tokenizer)
}

fn tokens(tokenizer: &Value, max_length: usize, first: Option<usize>) -> Tokens {
    let tokenizer = tokenizer.to_string().parse().unwrap();
    Tokens::new(tokenizer, max_length)
        .unwrap()
        .beginning_with(first)
}

#[test]
fn a_beginning_gives_the_ids_of_the_whole_text() {
    for (name, tokenizer) in tokenizers() {
        let max_length = 24;
        let whole = tokens(&tokenizer, max_length, None);
        let early = [1, 16, 300].map(|first| tokens(&tokenizer, max_length, Some(first)));
        let mut config = ProptestConfig::with_cases(40);
        config.failure_persistence = None;
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let ran = runner.run(&texts(), |text| {
            let (ids, length) = (whole.ids(&text).unwrap(), whole.length(&text).unwrap());
            for early in &early {
                prop_assert_eq!(&early.ids(&text).unwrap(), &ids);
                prop_assert_eq!(early.length(&text).unwrap(), length);
            }
            Ok(())
        });
        ran.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// What the library itself cuts, as it was done before beginnings were enough.
#[test]
fn ids_are_those_that_the_library_cuts() {
    for (name, tokenizer) in tokenizers() {
        let ours = tokens(&tokenizer, 12, Some(64));
        let mut library: tokenizers::Tokenizer = tokenizer.to_string().parse().unwrap();
        library
            .with_truncation(Some(tokenizers::TruncationParams {
                max_length: 12,
                ..Default::default()
            }))
            .unwrap();
        for text in golden()["texts"].as_array().unwrap() {
            for times in [1, 40] {
                let text = text.as_str().unwrap().repeat(times);
                let expected = library.encode_fast(text.as_str(), true).unwrap();
                assert_eq!(
                    ours.ids(&text).unwrap(),
                    expected.get_ids(),
                    "{name}: {text:?}"
                );
                let truncated = !expected.get_overflowing().is_empty();
                assert_eq!(
                    ours.length(&text).unwrap().truncated,
                    truncated,
                    "{name}: {text:?}"
                );
            }
        }
    }
}

#[test]
fn of_megabytes_a_beginning_is_tokenised() {
    let kinds = [
        "the dog in the sea, ",
        "http://t.co/AbC123+",
        "\u{4e2d}\u{6587}",
        "x",
        "e\u{301}",
        "?",
        "1",
    ];
    for (name, tokenizer) in tokenizers() {
        let tokens = Tokens::new(tokenizer.to_string().parse().unwrap(), 77).unwrap();
        for kind in kinds {
            let text = kind.repeat(2_000_000 / kind.len());
            let read = tokens.enough(&text).unwrap().len();
            assert!(read < 400_000, "{name}: {read} tokens of `{kind}`");
        }
    }
}

#[test]
fn texts_of_tokenizers_of_other_kinds_are_read_whole() {
    let tokens = Tokens::new(tokenizer(), 8).unwrap();
    assert_eq!(tokens.enough(&"a ".repeat(50_000)).unwrap().len(), 50_000);
    let other = |change: &dyn Fn(&mut Value)| {
        let mut tokenizer = golden()["clip"]["tokenizer"].clone();
        change(&mut tokenizer);
        let tokens = Tokens::new(tokenizer.to_string().parse().unwrap(), 8).unwrap();
        tokens.enough(&"a ".repeat(50_000)).unwrap().len() == 50_000
    };
    assert!(!other(&|_| ()));
    let pattern = |tokenizer: &mut Value| {
        let split = &mut tokenizer["pre_tokenizer"]["pretokenizers"][0];
        split["pattern"]["Regex"] = json!(r"[\p{L}]+(?=.*a)|[\p{L}]+");
    };
    assert!(other(&pattern));
    let backwards = |tokenizer: &mut Value| {
        tokenizer["normalizer"] = json!({"type": "Strip", "strip_left": true, "strip_right": true});
    };
    assert!(other(&backwards));
}
