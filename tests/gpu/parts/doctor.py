"""What `mmfnd doctor` says of driver, CUDA, cuDNN and provider, and whether PyTorch sees the card."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from place import DRY, ENCODE_DEVICE, HEAD_DEVICE, Report, mmfnd, part, torch_or_none  # noqa: E402


def run(report: Report):
    started = time.perf_counter()
    said = mmfnd("doctor", expected=None).stdout
    report.figures["seconds of doctor"] = round(time.perf_counter() - started, 2)
    lines = [line.strip() for line in said.splitlines()]
    encoders = next((line for line in lines if line.startswith(f"--device {ENCODE_DEVICE} ")), "doctor does not speak of it")
    heads = next((line for line in lines if line.split()[:1] == [HEAD_DEVICE]), "doctor does not speak of it")
    report.figures["encoders"], report.figures["heads"] = encoders, heads
    for line in [encoders, heads]:
        report.expect(" usable" in line and "not usable" not in line, line)
    if not DRY:
        pytorch(report)


def pytorch(report: Report):
    torch = torch_or_none(report, "what PyTorch sees")
    if torch:
        report.expect(torch.cuda.is_available(), "PyTorch sees no card")
        report.figures["CUDA and cuDNN of PyTorch"] = f"{torch.version.cuda}, {torch.backends.cudnn.version()}"


part(run)
