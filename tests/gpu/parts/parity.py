"""The features of all four encoders against PyTorch fed by the reference preprocessing; in a dry run, which has no PyTorch models, against batches of one."""

import json
import math
import operator
import os
import subprocess
import sys
from array import array
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from place import BIN, DRY, ENCODE_DEVICE, ENCODERS, PRESETS, ROOT, Failed, Report, part  # noqa: E402
from posts import posts  # noqa: E402

# Least cosine of any vector (of BERT: of any layer), as in tests/parity.
LIMITS = {"fp32": 0.99999, "fp32 without TF32": 0.99999, "fp16": 0.999}
# NVIDIA's libraries then multiply float32 in full; ONNX Runtime lets them round to TF32 unless it is told not to.
WITHOUT_TF32 = {"NVIDIA_TF32_OVERRIDE": "0"}
COMPARED, ROWS = (20, 8) if DRY else (100, 32)
# Numbers of a vector: those of BERT's layers are compared one by one.
WIDTHS = {"bert": 96 if DRY else 768, "clip_text": 64 if DRY else 512, "clip_image": 64 if DRY else 512, "resnet": 96 if DRY else 2048}


def run(report: Report):
    missing = [name for name in PRESETS.values() if not (ROOT / "models" / "presets" / f"{name}.toml").exists()]
    if missing:
        raise Failed(f"the preset `{missing[0]}` was not exported")
    chosen = posts()[:COMPARED]
    for encoder in ENCODERS:
        contents = [post["text" if encoder in ["bert", "clip_text"] else "image"] for post in chosen]
        expected = features("demo", encoder, 1, contents, {}) if DRY else of_pytorch(encoder, contents)
        variants = [(precision, preset, {}) for precision, preset in PRESETS.items()]
        if not DRY:
            variants.append(("fp32 without TF32", PRESETS["fp32"], WITHOUT_TF32))
        for precision, preset, environment in variants:
            cosine = least_cosine(features(preset, encoder, ROWS, contents, environment), expected, WIDTHS[encoder])
            report.figures[f"{encoder}, {precision}, n = {len(contents)}: least cosine"] = f"{cosine:.7f}"
            report.expect(cosine >= LIMITS[precision], f"{encoder}, {precision}: least cosine {cosine:.7f}, wanted {LIMITS[precision]}")
    if DRY:
        report.left_out.append("PyTorch: the demo's encoders are there as ONNX files only; compared with batches of one")


def features(preset: str, encoder: str, rows: int, contents: list[str], environment: dict) -> array:
    """What `mmfnd` makes of texts or picture files, `rows` in a batch."""
    lines = contents if encoder in ["clip_image", "resnet"] else map(json.dumps, contents)
    command = [BIN / "dump", "features", preset, encoder, str(rows), ENCODE_DEVICE]
    given = "".join(f"{line}\n" for line in lines).encode()
    done = subprocess.run(command, input=given, capture_output=True, cwd=ROOT, env={**os.environ, **environment})
    if done.returncode:
        raise Failed(f"{encoder} of `{preset}`: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return array("f", done.stdout)


def of_pytorch(encoder: str, contents: list[str]) -> array:
    sys.path.append(str(ROOT / "tests" / "parity"))
    import references
    from transformers import BertTokenizerFast, CLIPTokenizerFast

    tokenizer, length = None, None
    if encoder in ["bert", "clip_text"]:
        kind, length = (BertTokenizerFast, 300) if encoder == "bert" else (CLIPTokenizerFast, references.checkpoints.PRESETS["twitter"].clip_tokens)
        tokenizer = kind(tokenizer_file=str(ROOT / "models" / "twitter" / f"{encoder}.tokenizer.json"))
    return array("f", references.features("twitter", encoder, tokenizer, length, contents).ravel().tolist())


def least_cosine(found: array, expected: array, width: int) -> float:
    if len(found) != len(expected) or len(found) % width or not found:
        raise Failed(f"{len(found)} numbers where {len(expected)} were expected")
    product, cosines = lambda a, b: sum(map(operator.mul, a, b)), []
    for start in range(0, len(found), width):
        a, b = found[start : start + width], expected[start : start + width]
        cosines.append(product(a, b) / math.sqrt(product(a, a) * product(b, b)))
    # A number that is none would win no comparison.
    return math.nan if any(math.isnan(cosine) for cosine in cosines) else min(cosines)


part(run)
