"""Where things lie, in a clone and in an unpacked kit alike, and how a part of the check says what it found."""

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DRY = os.environ.get("MMFND_GPU_DRY") == "1"
WORK = ROOT / "target" / "gpu"
# The programs: those of the kit, or those that cargo built.
BIN = ROOT / "bin" if (ROOT / "bin").is_dir() else WORK / "bin"
# Without a card everything runs on the processor.
ENCODE_DEVICE, HEAD_DEVICE = ("cpu", "flex") if DRY else ("cuda", "cuda")
# What the four encoders are, and the presets that are compared.
ENCODERS = ["bert", "clip_text", "clip_image", "resnet"]
PRESETS = {"fp32": "demo"} if DRY else {"fp32": "twitter", "fp16": "twitter-fp16"}
VOCABULARIES = ROOT / "vocab"


class Failed(Exception):
    """What was expected did not happen; the text says why."""


class Report:
    """What one part found: figures, what it left out, and what is wrong."""

    def __init__(self):
        self.figures, self.left_out, self.problems = {}, [], []

    def show(self):
        """Prints what there is so far as a line of JSON, of which the last one counts: a part whose time is over keeps what it had shown."""
        print("\n" + json.dumps(vars(self)), flush=True)

    def expect(self, holds: bool, otherwise: str):
        if not holds:
            self.problems.append(otherwise)


def part(run):
    """Runs a part, given its report."""
    report = Report()
    try:
        run(report)
    except Failed as failed:
        report.problems.append(str(failed))
    except Exception:
        report.problems.append(traceback.format_exc(limit=-2).strip())
    report.show()


def call(*command, given=None, expected=0, environment=None) -> subprocess.CompletedProcess:
    """A program's output as text; fails where its exit status is another one than expected (None: any)."""
    command = [str(word) for word in command]
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=ROOT, env=environment)
    if expected is not None and done.returncode != expected:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise Failed(f"`{' '.join([Path(command[0]).name, *command[1:]])}` ended with {done.returncode}: {' / '.join(said)[-600:]}")
    return done


def mmfnd(*arguments, **more) -> subprocess.CompletedProcess:
    return call(BIN / "mmfnd", *arguments, **more)


def dump(*arguments, **more) -> subprocess.CompletedProcess:
    return call(BIN / "dump", *arguments, **more)


def torch_or_none(report: Report, otherwise: str):
    """PyTorch, or a line in the report that says what is left out without it."""
    try:
        import torch
    except ImportError:
        report.left_out.append(f"{otherwise}: no PyTorch in {sys.executable}")
        return None
    return torch
