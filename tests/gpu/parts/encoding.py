"""How fast the encoders are: posts a second, share of what the bare sessions give, share of the card's rate of half-precision products, and the time from files to Parquet."""

import json
import re
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from place import DRY, ENCODE_DEVICE, ENCODERS, PRESETS, ROOT, WORK, Failed, Report, dump, mmfnd, part, torch_or_none  # noqa: E402
from posts import imported  # noqa: E402

# A card is through with 200 posts before it is warm.
TIMES = 1 if DRY else 10
SIDE = 8192


def run(report: Report):
    file = imported("encoding", TIMES)
    torch = torch_or_none(report, "the card's rate") if not DRY else None
    rate = half_precision_rate(torch) if torch else None
    if rate:
        report.figures[f"rate of half-precision products of {SIDE} rows, PyTorch"] = f"{rate / 1e12:.0f} TFLOP/s"
    work = operations(torch, file) if torch else None
    for precision, preset in PRESETS.items():
        if not (ROOT / "models" / "presets" / f"{preset}.toml").exists():
            raise Failed(f"the preset `{preset}` was not exported")
        measure(report, (precision, preset), file, (work, rate))
    if DRY:
        report.left_out.append("the card's rate: there is no card")


def measure(report: Report, precision_and_preset: tuple, file: Path, bound: tuple):
    (precision, preset), (work, rate) = precision_and_preset, bound
    started = time.perf_counter()
    encode(file, preset)
    whole = time.perf_counter() - started
    lines = dump("bare", preset, file, ",".join(ENCODERS), ENCODE_DEVICE if ENCODE_DEVICE == "cuda" else "tiles").stdout.splitlines()
    bare = {line["encoder"]: line for line in map(json.loads, lines)}
    contents = max(line["contents"] for line in bare.values())
    report.figures[f"{precision}: files to Parquet, four encoders"] = f"{whole:.1f} s for {contents} posts"
    for encoder in ENCODERS:
        found, seconds = encode(file, preset, "--only", encoder)[encoder]
        if found != bare[encoder]["contents"]:
            raise Failed(f"{encoder}: the bare session ran {bare[encoder]['contents']} contents, `encode` {found}")
        shares = f"{found / seconds:,.0f} a second, {bare[encoder]['seconds'] / seconds:.0%} of the bare session"
        if work and rate:
            shares += f" (which has {work[encoder] * found / bare[encoder]['seconds'] / rate:.0%} of the card's rate)"
        report.figures[f"{precision}: {encoder}"] = shares


def encode(file: Path, preset: str, *options) -> dict:
    """Contents and seconds of each encoder's stage, into a new store."""
    store = WORK / "store-encoding"
    shutil.rmtree(store, ignore_errors=True)
    said = mmfnd("encode", "--posts", file, "--preset", preset, "--store", store, "--device", ENCODE_DEVICE, *options).stdout
    rows = re.findall(r"^(bert|clip_text|clip_image|resnet) +\d+ +(\d+) .* ([\d.]+)$", said, re.MULTILINE)
    return {name: (int(encoded), max(float(seconds), 0.05)) for name, encoded, seconds in rows}


def half_precision_rate(torch) -> float:
    """Operations a second of a large product of float16."""
    a, b = (torch.randn(SIDE, SIDE, device="cuda", dtype=torch.float16) for _ in range(2))
    for timed in [False, True]:
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(20):
            a @ b
        torch.cuda.synchronize()
    return 20 * 2 * SIDE**3 / (time.perf_counter() - started)


def operations(torch, file: Path) -> dict:
    """Multiplications and additions of one content of each encoder, PyTorch's count of the full-size models; for texts at their mean number of tokens."""
    from torch.utils.flop_counter import FlopCounterMode

    sys.path.append(str(ROOT / "tests" / "parity"))
    import references

    bert, clip, resnet = references.models("twitter")
    lines = map(json.loads, dump("padding", "twitter", file).stdout.splitlines())
    texts = len({json.loads(line)["text"] for line in open(file.parent / "posts.jsonl", encoding="utf-8")})
    tokens = {line["encoder"]: max(round(line["tokens"] / texts), 1) for line in lines}
    pixels, ids = torch.zeros(1, 3, 224, 224), lambda encoder: torch.ones(1, tokens[encoder], dtype=torch.int64)
    calls = {
        "bert": lambda: bert(input_ids=ids("bert")),
        "clip_text": lambda: clip.get_text_features(input_ids=ids("clip_text")),
        "clip_image": lambda: clip.get_image_features(pixel_values=pixels),
        "resnet": lambda: resnet(pixels),
    }
    found = {}
    for encoder, run_once in calls.items():
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            run_once()
        found[encoder] = counter.get_total_flops()
    return found


part(run)
