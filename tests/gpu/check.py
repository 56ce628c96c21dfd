"""Runs the parts of the check one after the other, each in a process of its own with a time limit, and writes what they found.

    python3 tests/gpu/check.py FOLDER        # FOLDER/gpu.json and FOLDER/gpu.md, rewritten after each part; the table is printed, too

No part stops another. MMFND_GPU_DRY=1: on the processor, with the demo's encoders. Needs nothing but Python's own library; what a part needs beside that it says.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import programs
import surroundings
from place import BIN, DRY, ROOT, WORK

# Most seconds of each part, in the order in which they run; cheap ones that need no exported encoders come first.
PARTS = {
    "doctor": 40, "libraries": 60, "golden": 60, "waiting": 60, "training": 120, "export": 150, "parity": 90, "encoding": 100, "store": 40, "sweep": 120,
}
# `partly`: something was left out, which says what; what is there is ok.
STATUSES = ["ok", "partly", "left out", "failed"]
# Of all parts together: a machine with a card may end a command after ten minutes.
MOST_SECONDS = 465


class Card:
    """The most memory that the card had in use, read while a part runs."""

    def __init__(self):
        self.most, self.over = None, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        ask = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while shutil.which("nvidia-smi") and not self.over.wait(0.5):
            try:
                said = subprocess.run(ask, capture_output=True, text=True, timeout=10).stdout.split()
                self.most = max([self.most or 0, *map(int, said[:1])])
            except (OSError, ValueError, subprocess.TimeoutExpired):
                continue

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(timeout=11)


def run(name: str, environment: dict, seconds: float) -> dict:
    """One part; ended with everything that it started when its time is over."""
    started, out, log = time.monotonic(), WORK / f"{name}.out", WORK / f"{name}.log"
    command, why = [sys.executable, str(Path(__file__).with_name("parts") / f"{name}.py")], None
    with Card() as card, open(out, "wb") as said, open(log, "wb") as complaints:
        process = subprocess.Popen(command, stdout=said, stderr=complaints, cwd=ROOT, env=environment, start_new_session=True)
        try:
            if process.wait(timeout=max(seconds, 1)):
                why = f"broke off with {process.returncode}: {last_line(log)}"
        except subprocess.TimeoutExpired:
            why = f"not done after {seconds:.0f} s, and ended"
        finally:
            end_group(process)
    shown = [line for line in out.read_text(encoding="utf-8", errors="replace").splitlines() if line.startswith("{")]
    found = json.loads(shown[-1]) if shown else {"figures": {}, "left_out": [], "problems": []}
    if why or not shown:
        found["problems"].append(why or "ended without a word")
    status = "failed" if found["problems"] else "left out" if not found["figures"] else "partly" if found["left_out"] else "ok"
    return {"status": status, "seconds": round(time.monotonic() - started, 1), "card_mb": card.most, **found}


def end_group(process: subprocess.Popen):
    """Ends what the part left behind; its group has no other processes."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def last_line(log: Path) -> str:
    return (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"])[-1][-400:]


def table(result: dict) -> str:
    """What was found, as Markdown."""
    machine = ", ".join(f"{name} {value}" for name, value in result["machine"].items())
    lines = [f"{'Dry run on the processor. ' if result['dry'] else ''}{machine}", "", "| part | result | seconds | most memory of the card |", "|---|---|---|---|"]
    for name, found in result["parts"].items():
        memory = "-" if found["card_mb"] is None else f"{found['card_mb']:,} MB"
        lines.append(f"| {name} | {found['status']} | {found['seconds']} | {memory} |")
    lines += ["", "| part | what | found |", "|---|---|---|"]
    for name, found in result["parts"].items():
        rows = [*found["figures"].items(), *(("left out", why) for why in found["left_out"]), *(("**failed**", why) for why in found["problems"])]
        lines += [f"| {name} | {cell(what)} | {cell(value)} |" for what, value in rows]
    return "\n".join(lines) + "\n"


def counts(result: dict) -> str:
    """How many parts ended how, and the names of what was left out: that is not passed."""
    parts = result["parts"].items()
    statuses = [found["status"] for _, found in parts]
    lines = [", ".join(f"{statuses.count(status)} {status}" for status in STATUSES) + f" of {len(statuses)} parts"]
    lines += [f"left out of {name}: {why}" for name, found in parts for why in found["left_out"]]
    return "\n".join(lines)


def cell(value) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


def write(folder: Path, result: dict):
    for name, text in [("gpu.json", json.dumps(result, indent=1) + "\n"), ("gpu.md", table(result))]:
        partial = folder / f"{name}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / name)


def main():
    folder, started = Path(sys.argv[1]), time.monotonic()
    for place in [folder, WORK]:
        place.mkdir(parents=True, exist_ok=True)
    if (ROOT / "Cargo.toml").exists():  # a clone; the kit has the programs already
        programs.build(BIN, with_cuda=not DRY)
        started = time.monotonic()
    environment = surroundings.environment()
    result = {"dry": DRY, "machine": surroundings.machine(), "parts": {}}
    for name, most in PARTS.items():
        left = MOST_SECONDS - (time.monotonic() - started)
        found = run(name, environment, min(most, left))
        result["parts"][name] = found
        print(f"{name:<10} {found['status']:<9} {found['seconds']:>6} s  {'; '.join(found['problems'])[:300]}", file=sys.stderr, flush=True)
        write(folder, result)
    result["seconds"] = round(time.monotonic() - started, 1)
    write(folder, result)
    print(table(result))
    print(counts(result), file=sys.stderr)
    print(f"{result['seconds']} s; wrote {folder / 'gpu.json'} and gpu.md", file=sys.stderr)
    sys.exit(any(found["status"] == "failed" for found in result["parts"].values()))


if __name__ == "__main__":
    main()
