"""What `encode --device cuda` says where a library is missing or the wrong one: an error with the reason, never the CPU instead."""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from place import DRY, Failed, Report, mmfnd, part  # noqa: E402


def run(report: Report):
    own = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    usable(report, "LD_LIBRARY_PATH emptied", own)
    with tempfile.TemporaryDirectory() as empty:
        # A Python without NVIDIA's packages, and no loader's path to them.
        refused(report, "no library of NVIDIA's in reach", {**own, "PATH": empty})
        refused(report, "no ONNX Runtime with the provider", {**own, "PATH": empty, "MMFND_CACHE": empty})
    refused(report, "ONNX Runtime for CPUs", {**own, "ORT_DYLIB_PATH": cpu_library()})


def probe(environment: dict):
    return mmfnd("doctor", "--probe-cuda", expected=None, environment=environment)


def usable(report: Report, name: str, environment: dict):
    done = probe(environment)
    said = (done.stderr or done.stdout).strip().replace("\n", " ")
    report.figures[name] = said[-300:]
    report.expect(DRY or done.returncode == 0, f"{name}: {said[-300:]}")


def refused(report: Report, name: str, environment: dict):
    """Where the loader has NVIDIA's libraries in its own configuration, the first of these is usable all the same; that is no fault."""
    done = probe(environment)
    said = done.stderr.strip().replace("\n", " ")
    report.figures[name] = said[-300:] or "usable all the same: the loader knows where they lie"
    is_named = done.returncode == 1 and "device `cuda` cannot be used" in said
    report.expect(is_named or (done.returncode == 0 and name.startswith("no library")), f"{name}: {done.returncode}, {said[-300:]}")


def cpu_library() -> str:
    lines = mmfnd("doctor", expected=None).stdout.splitlines()
    line = next((line for line in lines if line.startswith("  library ")), None)
    if line is None:
        raise Failed("`mmfnd doctor` names no ONNX Runtime for CPUs")
    return line.split("`")[1]


part(run)
