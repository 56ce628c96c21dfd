"""Whether a training step waits for the card: the time until steps are handed over, until the card has computed them, and with a wait after each of them."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from place import BIN, DRY, HEAD_DEVICE, Report, call, part  # noqa: E402

STEPS = 3 if DRY else 100
# Steps that wait take as long one after the other as with a wait after each.
NO_GAIN = 0.97


def run(report: Report):
    said = call(BIN / "train", HEAD_DEVICE, given=f"step {STEPS}\nahead {STEPS}\n").stdout.splitlines()
    found = json.loads(said[-1])
    for name, what in [("told", "handed over"), ("done", "computed"), ("waited", "computed, with a wait after each")]:
        report.figures[f"a step, {what}"] = f"{1000 * found[name] / STEPS:.2f} ms"
    if DRY:
        report.left_out.append("the verdict: on the processor a step is done when its call returns")
        return
    overlaps = found["done"] < NO_GAIN * found["waited"] or found["told"] < NO_GAIN * found["done"]
    report.expect(overlaps, "steps take as long as with a wait after each: something in a step waits for the card")


part(run)
