"""A training step and an epoch at full size, beside PyTorch's eager and compiled ones (tests/speed/train.py)."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from place import BIN, DRY, HEAD_DEVICE, ROOT, WORK, Report, call, part, torch_or_none  # noqa: E402

SIZES = ["--rounds", "1", "--steps", "2", "--posts", "200"] if DRY else ["--rounds", "3", "--steps", "50", "--compile"]
BATCH = 64


def run(report: Report):
    if torch_or_none(report, "the other side") is None:
        step, epoch = alone()
    else:
        out = WORK / "train.json"
        call(sys.executable, ROOT / "tests" / "speed" / "train.py", "--device", HEAD_DEVICE, "--programs", BIN, "--no-sweep", "--out", out, *SIZES)
        found = json.loads(out.read_text())
        step, epoch = found["step"], found["epoch"]
    report.figures["a step"] = sides(step, 1000, "ms")
    report.figures[f"an epoch of {epoch['posts']:.0f} posts"] = sides(epoch, 1, "s")
    steps = epoch["posts"] / BATCH
    report.figures["a step of the epoch, with its features"] = f"{1000 * epoch['train'] / steps:.2f} ms, {epoch['train'] / steps / step['ours']:.2f} of a step alone"
    if DRY:
        report.left_out.append("torch.compile: too slow for a dry run")


def alone() -> tuple[dict, dict]:
    """Our side without the other one."""
    world = WORK / "world-200"
    if not (world / "posts.parquet").exists():
        call(BIN / "made_up_store", world, "--posts", 200)
    said = call(BIN / "train", HEAD_DEVICE, given=f"step 3\nepoch {world}/posts.parquet {world}/store {world}/run\n").stdout
    step, epoch = (json.loads(line) for line in said.splitlines())
    return {"ours": min(step["step"])}, {**epoch, "ours": epoch["load"] + epoch["before_first_step"] + epoch["train"]}


def sides(found: dict, factor: float, unit: str) -> str:
    names = {"ours": "mmfnd", "theirs": "PyTorch", "fused": "PyTorch with fused AdamW", "compiled": "torch.compile"}
    return ", ".join(f"{name} {factor * found[side]:.2f} {unit}" for side, name in names.items() if side in found)


part(run)
