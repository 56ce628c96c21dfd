"""A store that was begun on the processor and goes on on the card: what was there stays as it was, and the store says which part came from where."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from place import DRY, ENCODE_DEVICE, PRESETS, ROOT, WORK, Failed, Report, mmfnd, part  # noqa: E402
from posts import imported  # noqa: E402

BEGUN, ALL = 10, 20


def run(report: Report):
    preset, store = PRESETS["fp32"], WORK / "store-continued"
    if not (ROOT / "models" / "presets" / f"{preset}.toml").exists():
        raise Failed(f"the preset `{preset}` was not exported")
    shutil.rmtree(store, ignore_errors=True)
    mmfnd("encode", "--posts", imported("begun", 1, BEGUN), "--preset", preset, "--store", store)
    before = digests(store)
    done = mmfnd("encode", "--posts", imported("continued", 1, ALL), "--preset", preset, "--store", store, "--device", ENCODE_DEVICE, expected=None)
    after = digests(store)
    report.figures["going on"] = f"ended with {done.returncode}" + (f": {done.stderr.strip().splitlines()[-1][-300:]}" if done.returncode else "")
    report.expect(bool(before) and all(after.get(name) == digest for name, digest in before.items()), "parts that the processor had made changed")
    inspected = json.loads(mmfnd("features", "inspect", store, "--json").stdout)
    made_by = {name.split()[0] for encoder in inspected["encoders"] for name in encoder["made_by"]}
    report.figures["parts made by"] = ", ".join(sorted(made_by))
    if done.returncode == 0:
        report.expect(any(name.startswith("CPU") for name in made_by), "the store does not say which parts the processor made")
        report.expect(DRY or any(name.startswith("CUDA") for name in made_by), "the store does not say which parts the card made")


def digests(store: Path) -> dict:
    """Of the rows' files, by path."""
    return {str(file.relative_to(store)): hashlib.sha256(file.read_bytes()).hexdigest() for file in store.glob("encoders/*/*.parquet")}


part(run)
