"""`models/export.py twitter --random-init` on this machine: the full-size encoders in fp32 and fp16, each compared with PyTorch before it is kept."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from place import DRY, PRESETS, ROOT, VOCABULARIES, Report, call, part  # noqa: E402


def run(report: Report):
    if DRY:
        report.left_out.append("the demo's encoders stand in for exported ones")
        return
    if not all((ROOT / "models" / "presets" / f"{name}.toml").exists() for name in PRESETS.values()):
        call(sys.executable, ROOT / "models" / "export.py", "twitter", "--random-init", "--vocab", VOCABULARIES, "--precision", "fp32,fp16")
    manifest = json.loads((ROOT / "models" / "twitter" / "manifest.json").read_text())
    report.figures["files"] = len(manifest["sha256"])
    report.figures["compared with PyTorch"] = json.dumps(manifest["compared_with_pytorch"])


part(run)
