"""Whether a training step waits for the card: the time until steps are handed over, until the card has computed them, with a wait after each of them, and of their kernels alone; and how often a whole run reads what the card has computed."""

import json
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from place import BIN, DRY, HEAD_DEVICE, WORK, Report, call, part  # noqa: E402

STEPS, PROFILED = (3, 2) if DRY else (100, 20)
# Steps that wait take as long one after the other as with a wait after each.
NO_GAIN = 0.97
UNITS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
BATCH = 64


def run(report: Report):
    said = call(BIN / "train", HEAD_DEVICE, given=f"step {STEPS}\nahead {STEPS}\n").stdout.splitlines()
    found = json.loads(said[-1])
    for name, what in [("told", "handed over"), ("done", "computed"), ("waited", "computed, with a wait after each")]:
        report.figures[f"a step, {what}"] = f"{1000 * found[name] / STEPS:.2f} ms"
    report.show()
    reads(report)
    if DRY:
        report.left_out.append("the verdict: on the processor a step is done when its call returns")
        report.left_out.append("the time of the kernels: the processor has none")
        return
    overlaps = found["done"] < NO_GAIN * found["waited"] or found["told"] < NO_GAIN * found["done"]
    report.expect(overlaps, "steps take as long as with a wait after each: something in a step waits for the card")
    report.show()
    seconds, kernels = of_kernels()
    report.figures["a step, its kernels alone"] = f"{1000 * seconds:.2f} ms, {kernels:.0f} kernels; a computed step takes {found['done'] / STEPS / seconds:.2f} of that"


def reads(report: Report):
    """Of a run of one epoch with as many steps as the posts give."""
    world = WORK / "world-200"
    if not (world / "posts.parquet").exists():
        call(BIN / "made_up_store", world, "--posts", 200)
    run = json.loads(call(BIN / "train", HEAD_DEVICE, given=f"epoch {world}/posts.parquet {world}/store {world}/run\n").stdout)
    report.figures["a run of one epoch"] = f"{-(-run['posts'] // BATCH)} steps; values read {run['reads']} times, most of them weights"
    where = [note for note in run["notes"] if "card" in note]
    report.figures["features"] = where[0] if where else "in the memory of the process"
    report.expect(DRY or bool(where) and where[0].startswith("all features lie on the card"), "the features of 200 posts do not lie on the card")


def of_kernels() -> tuple[float, float]:
    """Seconds and number of the kernels of a step, as CubeCL measures them one by one."""
    folder = WORK / "profile"
    folder.mkdir(exist_ok=True)
    log = folder / "kernels.log"
    log.unlink(missing_ok=True)
    # CubeCL looks for this file in the folder that a program runs in.
    (folder / "cubecl.toml").write_text(f'[profiling.logger]\nfile = "{log}"\nlevel = "basic"\n')
    subprocess.run([BIN / "train", HEAD_DEVICE], input=f"step {PROFILED}\n", text=True, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    found = re.findall(r"^\| ([\d.]+)(ns|µs|ms|s) +\| ", log.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise RuntimeError("CubeCL's log names no kernel")
    return sum(float(time) * UNITS[unit] for time, unit in found) / PROFILED, len(found) / PROFILED


part(run)
