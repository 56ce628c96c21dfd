"""The head against the golden files of tests/golden: outputs, gradients and twenty losses, on the card."""

import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from place import BIN, HEAD_DEVICE, Report, call, part  # noqa: E402

# The tests whose names have it: on the card, or those that compare with PyTorch on the processor.
FILTER, BUT = {"cuda": ("cuda", []), "flex": ("pytorchs", ["--skip", "cuda"])}[HEAD_DEVICE]


def run(report: Report):
    said = call(BIN / "golden", FILTER, *BUT, "--nocapture", expected=None, environment={**os.environ, "RUST_BACKTRACE": "0"})
    found = re.search(r"test result: (\w+)\. (\d+) passed; (\d+) failed", said.stdout)
    if found is None:
        report.problems.append((said.stderr or said.stdout).strip()[-300:])
        return
    passed, failed = int(found[2]), int(found[3])
    report.figures["tests passed"] = f"{passed} of {passed + failed}"
    report.expect(failed == 0, reasons(said.stdout + said.stderr))
    report.expect(passed + failed > 0, f"no test has `{FILTER}` in its name")
    if HEAD_DEVICE == "flex":
        report.left_out.append("the card beside the processor: there is no card")


def reasons(said: str) -> str:
    panics = re.findall(r"panicked at [^\n]*\n([^\n]*)", said)
    return " / ".join(panic[:200] for panic in panics[:4])


part(run)
