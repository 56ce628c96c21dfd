"""Compares stage 1 with code that we did not write, on real texts and pictures and full-size encoders, and writes docs/parity.md.

    python3 -m pip install -r tests/parity/requirements.txt
    python3 models/export.py twitter --random-init --vocab VOCABULARIES --calibrate DATA/twitter_mediaeval      # and weibo, with DATA/weibo
    python3 tests/parity/parity.py --data DATA [--presets twitter,weibo] [--sample 100]

DATA holds `twitter_mediaeval` and `weibo` (data/README.md). Ends with 1 when something is further apart than it may be.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
from PIL import Image
from transformers import BertTokenizerFast, CLIPTokenizerFast

import references
from references import ROOT, checkpoints

BIN = ROOT / "target" / "release"
LIMITS = {"fp32": 0.99999, "fp16": 0.999, "bf16": 0.9998, "int8": None}
RELEASED = "\n## The reference in PyTorch, against the authors'"  # the section that released.py writes
failures = []


def ours(*arguments, given=b""):
    return subprocess.run([BIN / "examples" / "dump", *map(str, arguments)], input=given, stdout=subprocess.PIPE, check=True, cwd=ROOT).stdout


def lines_of(texts):
    return "".join(json.dumps(text) + "\n" for text in texts).encode()


def check(holds, what):
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}", file=sys.stderr)


def tokenizer_of(name, encoder):
    """Hugging Face's tokenizer over the vocabulary file that was exported."""
    kind = BertTokenizerFast if encoder == "bert" or checkpoints.PRESETS[name].chinese else CLIPTokenizerFast
    return kind(tokenizer_file=str(ROOT / "models" / name / f"{encoder}.tokenizer.json"))


def max_length(name, encoder):
    return 300 if encoder == "bert" else checkpoints.PRESETS[name].clip_tokens


def compare_tokens(name, texts, kind):
    """Ids, and masks: ours are 1 for each id and 0 for what fills up a batch."""
    for encoder in ["bert", "clip_text"]:
        limit = max_length(name, encoder)
        theirs = tokenizer_of(name, encoder)(texts, truncation=True, max_length=limit)
        found = [json.loads(line) for line in ours("tokens", name, encoder, given=lines_of(texts)).splitlines()]
        equal = sum(a == b and len(a) == sum(mask) for a, b, mask in zip(found, theirs["input_ids"], theirs["attention_mask"], strict=True))
        longest = sum(len(ids) == limit for ids in found)
        check(equal == len(texts), f"tokens of {name} {encoder}: {len(texts) - equal} texts differ")
        yield [f"{kind}, {name} `{encoder}` ({limit})", f"{equal:,} of {len(texts):,}", f"{longest:,}"]


def compare_pixels(name, files, kind):
    for encoder in ["clip_image", "resnet"]:
        make, _, _ = references.image_rule(encoder, checkpoints.PRESETS[name].chinese)
        out = np.frombuffer(ours("pixels", name, encoder, given="".join(f"{file}\n" for file in files).encode()), np.uint8).reshape(len(files), 1 + 224 * 224 * 3)
        differences = np.concatenate([np.abs(row[1:].reshape(224, 224, 3).astype(int) - make(Image.open(file)).astype(int)).ravel() for row, file in zip(out, files)])
        decoded, close = int(out[:, 0].sum()), float((differences <= 1).mean())
        check(decoded == len(files), f"pixels of {name} {encoder}: {len(files) - decoded} pictures were refused")
        check(close >= 0.999, f"pixels of {name} {encoder}: {close:.5f} within 1/255")
        yield [f"{kind}, {name} `{encoder}`", f"{decoded} of {len(files)}", f"{100 * (differences == 0).mean():.4f} %", f"{100 * close:.4f} %", f"{differences.max()}"]


def sample_posts(data, name, count, folder):
    """Posts with a picture of their own, as `mmfnd import` reads them; the path of their posts.parquet."""
    whole, rows, seen = folder / "all", [], set()
    run("import", name, data / {"twitter": "twitter_mediaeval", "weibo": "weibo"}[name], "--out", whole)
    for post in parquet.read_table(whole / "posts.parquet").to_pylist():
        images = [str(whole / image) for image in post["images"]]
        if images and images[0] not in seen and post["text"] and len(rows) < count:
            seen.add(images[0])
            rows.append([post["post_id"], post["text"], images[0], "fake", "train"])
    with open(folder / "sample.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "text", "image", "label", "split"], *rows])
    run("import", "manifest", folder / "sample.csv", "--allow-outside", "--out", folder / "sample")
    return folder / "sample" / "posts.parquet"


def run(*arguments):
    subprocess.run([BIN / "mmfnd", *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, cwd=ROOT)


def cosines(found, expected):
    a, b = (x.astype(np.float64).reshape(-1, expected.shape[-1]) for x in (found, expected))
    return (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def compare_features(data, name, count):
    """From posts to the exported table, every precision, against PyTorch fed by the reference preprocessing."""
    base = name.split("-")[0]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        posts = sample_posts(data, base, count, folder)
        table = parquet.read_table(posts).to_pylist()
        texts, files = [post["text"] for post in table], [str(posts.parent / post["images"][0]) for post in table]
        expected = {e: references.features(name, e, tokenizer_of(name, e), max_length(name, e), texts) for e in ["bert", "clip_text"]}
        expected |= {e: references.features(name, e, None, None, files) for e in ["clip_image", "resnet"]}
        for precision, limit in LIMITS.items():
            if precision == "bf16" and not references.has_bf16():
                print("bf16 is left out: this processor has no instructions for it", file=sys.stderr)
                continue
            preset = name if precision in ["fp32", "bf16"] else f"{name}-{precision}"
            if not (ROOT / "models" / "presets" / f"{preset}.toml").exists():
                print(f"{preset} was not exported: left out", file=sys.stderr)
                continue
            store = folder / precision
            how = ["--precision", "bf16"] if precision == "bf16" else []
            run("encode", "--posts", posts, "--preset", preset, "--store", store, "--values", "f32", *how)
            run("features", "export", store, "--posts", posts, "--out", folder / "features.parquet")
            features = parquet.read_table(folder / "features.parquet").to_pydict()
            for encoder, wanted in expected.items():
                found = np.array(features[encoder], np.float32).reshape(wanted.shape)
                cosine = cosines(found, wanted)
                given = lines_of(texts[:20]) if encoder in ["bert", "clip_text"] else "".join(f"{file}\n" for file in files[:20]).encode()
                alone = np.frombuffer(ours("features", preset, encoder, 1, *how[1:], given=given), np.float32).reshape(-1, *wanted.shape[1:])
                apart = np.abs(alone - found[: len(alone)]).max() / np.abs(found).max()
                check(limit is None or cosine.min() >= limit, f"features of {preset} {encoder}: cosine {cosine.min()}")
                check(precision != "fp32" or apart <= 1e-5, f"features of {preset} {encoder}: a batch of one is {apart} apart")
                yield [f"{name} `{encoder}`", precision, f"{len(found)}", f"{cosine.min():.7f}", f"{cosine.mean():.7f}", f"{np.abs(found - wanted).max():.1e}", f"{apart:.1e}"]


def table(head, rows):
    print(head)
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in rows:
        print(*row, sep="  ", flush=True)
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--presets", default="twitter,weibo")
    parser.add_argument("--sample", type=int, default=100, help="posts whose features are compared")
    parser.add_argument("--bin", type=Path, default=BIN, help="folder of the release build")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "parity.md")
    args = parser.parse_args()
    globals()["BIN"] = args.bin.resolve()
    data, names = args.data.resolve(), args.presets.split(",")
    texts = {"twitter": list(references.tweets(data)), "weibo": list(references.weibo_posts(data))}
    tokens = (row for name in names for row in compare_tokens(name, texts[name.split("-")[0]], {"twitter": "tweets", "weibo": "Weibo posts"}[name.split("-")[0]]))
    with tempfile.TemporaryDirectory() as folder:
        special = references.special_pictures(Path(folder))
        groups = [("Twitter pictures", references.pictures(data, "twitter")), ("Weibo pictures", references.pictures(data, "weibo")), ("drawn for their formats", special)]
        tables = [
            table(["texts, encoder (most tokens)", "equal ids and masks", "cut off or exactly full"], tokens),
            table(["pictures, encoder", "decoded", "equal values", "at most 1/255 apart", "largest difference"], (row for name in names for kind, files in groups for row in compare_pixels(name, files, kind))),
            table(["encoder", "precision", "n", "least cosine", "mean cosine", "largest difference", "batch of one, relative"], (row for name in names for row in compare_features(data, name, args.sample))),
        ]
    before = args.out.read_text(encoding="utf-8") if args.out.exists() else ""
    released = before[before.find(RELEASED):] if RELEASED in before else ""
    args.out.write_text(document(tables, names) + released, encoding="utf-8")
    print(f"wrote {args.out}")
    sys.exit(1 if failures else 0)


def document(tables, names):
    weights = {name: json.loads((ROOT / "models" / name / "manifest.json").read_text())["weights"] for name in names}
    made_with = ", ".join(f"{package} {version(package)}" for package in ["torch", "torchvision", "transformers", "tokenizers", "pillow", "onnxruntime"])
    about = "; ".join(f"`{name}`: random weights, seed {w['random_seed']}" if "random_seed" in w else f"`{name}`: public checkpoints" for name, w in weights.items())
    return f"""# Parity with the reference implementations

Written by `just parity` (`tests/parity/parity.py`). The other side: {made_with}. Encoders: {about}, exported by `models/export.py`.

## Token ids and masks, against Hugging Face's fast tokenizers
{tables[0]}
## Pixels before normalisation, against transformers' Pillow processors (CLIP) and torchvision (ResNet)
{tables[1]}
## Features, from posts to `mmfnd features export`, against PyTorch with the reference preprocessing
The least cosine is that of any vector (of BERT: of any layer of any text). *Batch of one*: the largest difference between a content encoded alone and in its batch, over the largest value; int8 takes the
range of its activations from the whole batch, so it depends on it, but for ResNet, whose ranges were fixed when it was exported.

{tables[2]}{'' if not failures else 'FAILED: ' + '; '.join(failures)}"""


if __name__ == "__main__":
    main()
