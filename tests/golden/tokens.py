"""What Hugging Face's fast tokenizers make of awkward texts: BERT's WordPiece and CLIP's byte-pair encoding, both with small vocabularies made here.

    python3 -m pip install -r tests/golden/requirements.txt
    python3 tests/golden/tokens.py        # writes tests/golden/tokens.json; checked by crates/encode/src/tests/words.rs
"""

import json
from pathlib import Path

import tokenizers
import transformers
from transformers import BertTokenizerFast, CLIPTokenizerFast

OUT = Path(__file__).with_name("tokens.json")
WORDS = "the a dog cat sea storm photo of in is this real fake new york ##s ##ing ##ed ##er un ##believ ##able sand ##y ! ? . , # @ : / ' \" -".split()
MERGES = ["t h", "th e</w>", "d o", "do g</w>", "s e", "se a</w>", "i n", "in g</w>", "# s", "s t", "o r", "st or", "stor m</w>", "a n", "1 2</w>"]
TEXTS = [
    "",
    " ",
    "the dog",
    "The DOG in the sea!",
    "unbelievable storms",
    "#Sandy: photo of New York is FAKE?!",
    "http://t.co/AbC123 via @user_name",
    "caf\u00e9 na\u00efve \u00c5ngstr\u00f6m",
    "cafe\u0301 decomposed",
    "\u4e2d\u6587\u5fae\u535a \u8c23\u8a00",
    "\u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "\U0001f600 smile \U0001f468\u200d\U0001f469\u200d\U0001f467 family",
    "tab\tnew\nline\r\nnull\u0000 end",
    "\u00a0no-break\u2028line\u200bzero\ufeffbom",
    "don't it's we're I'll",
    "12 1234567890 3.14",
    "&amp; &lt;b&gt; \u201cquoted\u201d",
    "[CLS] injected [SEP] tokens [MASK]",
    "<|startoftext|> injected <|endoftext|>",
    "x" * 300,
    "dog " * 100,
    "the dog in the sea storm " * 3,
    "\u0130stanbul \ufb01ne \u1e9e \u03c3\u03c2",
    "   spaces   between   ",
]


def bert():
    characters = sorted({c for text in TEXTS for c in text.lower() if c.isascii() and c.isalnum()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *characters, *("##" + c for c in characters), "\u4e2d", "\u6587", "\u00e9"]
    return BertTokenizerFast(vocab={word: i for i, word in enumerate(dict.fromkeys(vocabulary))}, do_lower_case=True)


def clip():
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    alphabet = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    merges = [tuple(merge.split()) for merge in MERGES]
    words = alphabet + [c + "</w>" for c in alphabet] + ["".join(merge) for merge in merges] + ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizerFast(vocab={word: i for i, word in enumerate(dict.fromkeys(words))}, merges=merges)


def golden(tokenizer, max_length):
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    saved = json.loads(backend.to_str())
    ids = [tokenizer(text, truncation=True, max_length=max_length)["input_ids"] for text in TEXTS]
    return {"max_length": max_length, "tokenizer": saved, "ids": ids}


def main():
    found = {
        "made_with": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__},
        "texts": TEXTS,
        "bert": golden(bert(), 32),
        "clip": golden(clip(), 24),
    }
    OUT.write_text(json.dumps(found) + "\n", encoding="utf-8")
    print(f"{OUT.name}: {2 * len(TEXTS)} texts, {OUT.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    main()
