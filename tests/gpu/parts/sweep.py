"""A sweep of 30 runs beside PyTorch's, one after another, eager and compiled (tests/speed/sweep.py)."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from place import BIN, DRY, HEAD_DEVICE, ROOT, WORK, Report, call, mmfnd, part  # noqa: E402

SIZES = ["--posts", "200", "--seeds", "1", "--epochs", "1", "--experts", "2"] if DRY else []


def run(report: Report):
    missing = [name for name in ["torch", "pyarrow"] if find_spec(name) is None]
    if missing:
        report.left_out.append(f"the other side: no {missing[0]} in {sys.executable}")
        alone(report)
        return
    for name, *options in [["mmfnd", "--side", "ours"], ["PyTorch", "--side", "theirs"], *([] if DRY else [["torch.compile", "--side", "theirs", "--compile"]])]:
        said = call(sys.executable, ROOT / "tests" / "speed" / "sweep.py", "--device", HEAD_DEVICE, "--programs", BIN, "--out", WORK / "sweep", *options, *SIZES).stdout
        found = json.loads(said)
        side = found.get("ours") or found["theirs"]
        report.figures[f"{found['runs']} runs, {name}"] = f"{side['seconds']:.1f} s, mean test accuracy {side['test_accuracy']:.3f}"
        report.show()
    if DRY:
        report.left_out.append("torch.compile: too slow for a dry run")


def alone(report: Report):
    """Our side, as far as Python's own library can read it."""
    world, out = WORK / "world-200", WORK / "sweep-alone"
    if not (world / "posts.parquet").exists():
        call(BIN / "made_up_store", world, "--posts", 200)
    grid = ["--grid", "head.experts=1..2", "--seeds", "1", "--set", "train.epochs=1", "--no-best-test"]
    mmfnd("sweep", "--posts", world / "posts.parquet", "--store", world / "store", "--out", out, "--device", HEAD_DEVICE, *grid)
    records = [json.loads(line) for line in (out / "runs.jsonl").read_text().splitlines()]
    report.expect(all(record["status"] == "finished" for record in records), "a run of the sweep failed")
    report.figures[f"{len(records)} runs"] = "finished"


part(run)
