"""What the machine has, and the environment that the parts of the check run in."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from place import ROOT, WORK

# Where CubeCL looks for a CUDA toolkit, which has the mathematical functions of its kernels.
TOOLKITS = ["/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda", "/usr"]
LIBDEVICE = Path("nvvm/libdevice/libdevice.10.bc")


def environment() -> dict:
    """This process's own, so that the programs find what the kit brought and what Python's packages hold."""
    found = dict(os.environ, MMFND_GOLDEN=str(ROOT / "tests" / "golden"), PYTHONDONTWRITEBYTECODE="1")
    # `mmfnd` asks `python3` for NVIDIA's libraries: it has to be the Python that has PyTorch.
    found["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{found.get('PATH', '')}"
    if (ROOT / "cache").is_dir():
        found["MMFND_CACHE"] = str(ROOT / "cache")
    if importlib.util.find_spec("onnxruntime") is None and (ROOT / "site").is_dir():
        found["PYTHONPATH"] = os.pathsep.join(filter(None, [found.get("PYTHONPATH"), str(ROOT / "site")]))
    if toolkit := borrowed_toolkit(found.get("CUDA_PATH")):
        found["CUDA_PATH"] = str(toolkit)
    return found


def borrowed_toolkit(chosen: str | None) -> Path | None:
    """A folder like a CUDA toolkit with the one file that kernels need of it, from the package of Triton; none where a toolkit is there."""
    if any((Path(root) / LIBDEVICE).is_file() for root in ([chosen] if chosen else TOOLKITS)):
        return None
    triton = importlib.util.find_spec("triton")
    file = Path(triton.origin).parent / "backends" / "nvidia" / "lib" / LIBDEVICE.name if triton and triton.origin else None
    if file is None or not file.is_file():
        return None
    place = WORK / "toolkit" / LIBDEVICE
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place)
    return WORK / "toolkit"


def machine() -> dict:
    """What the figures depend on."""
    found = {"cores": len(os.sched_getaffinity(0)), "Python": platform.python_version()}
    for name, package in [("PyTorch", "torch"), ("transformers", "transformers")]:
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            found[name] = "missing"
    if shutil.which("nvidia-smi"):
        ask = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        said = subprocess.run(ask, capture_output=True, text=True).stdout.strip().splitlines()
        names = ["card", "driver", "memory"]
        found |= dict(zip(names, said[0].split(", "))) if said else {"card": "nvidia-smi finds none"}
    else:
        found["card"] = "none: there is no nvidia-smi"
    return found
