"""Makes the kit that checks CUDA on another machine: one with an NVIDIA card, Python 3.12 and PyTorch, and neither network nor Rust. Needs cargo, a C++ compiler, `strip` and pip; no card.

    python3 tests/gpu/kit.py OUT --vocabularies DIR [--data DIR] [--transfer MIB]

DIR of --vocabularies holds what models/export.py asks for with --random-init; DIR of --data holds `twitter_mediaeval` (data/README.md), whose posts are encoded there; without it generated posts are.
OUT gets a folder for each transfer. How they get to the machine is up to whoever has one: each has to be copied there, and the command that is printed for it be run.
"""

import argparse
import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import programs
from place import ROOT, VOCABULARIES, WORK

# Of the repository: what the check runs and reads there.
SOURCES = ["models/*.py", "models/demo", "models/presets/demo.toml", "tests/gpu", "tests/golden", "tests/parity/*.py", "tests/speed/*.py"]
# Python's onnxruntime, which models/export.py compares with: not every machine that has PyTorch has it. It also holds the library that encodes on the processor.
ONNXRUNTIME = "onnxruntime==1.32.0 --hash=sha256:99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8"
ONNXRUNTIME_CPU = "onnxruntime-1.32.0"
LIBRARY_CUDA = "onnxruntime-gpu-1.31.1"
POSTS = 200
MIB = 1 << 20
# The largest a piece may be, and what is left free beside it: the script that takes it, and names of files.
LARGEST, MARGIN = 60, 1
MOST_TRANSFERS = 5
# One stream for all programs, with a window that reaches from one (of 140 to 170 MiB) to the next: most of them is the same.
PACKING = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 256 * MIB}]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--vocabularies", type=Path, required=True, metavar="DIR")
    parser.add_argument("--data", type=Path, metavar="DIR")
    parser.add_argument("--transfer", type=int, default=64, metavar="MIB", help="most MiB of a transfer (default: %(default)s)")
    parser.add_argument("--beside", type=int, metavar="MIB", default=0, help="MiB of a transfer that are not ours, such as files of this repository that travel with each (default: %(default)s)")
    return parser.parse_args()


def main():
    a = arguments()
    stage = WORK / "kit"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    add_programs(stage / "bin")
    add_sources(stage)
    shutil.copytree(a.vocabularies, stage / VOCABULARIES.relative_to(ROOT), copy_function=shutil.copy)
    add_posts(stage / "posts", a.data)
    add_libraries(stage)
    archive = WORK / "kit.tar.xz"
    pack(stage, archive)
    folders = cut(archive, a.out, min(LARGEST, a.transfer - a.beside - MARGIN) * MIB)
    show(stage, archive, folders)
    if len(folders) > MOST_TRANSFERS:
        sys.exit(f"more than {MOST_TRANSFERS} transfers: leave more room for the kit in each (--transfer, --beside)")


def add_programs(folder: Path):
    """Stripped, and none of them asks for a library of NVIDIA's before it runs."""
    programs.build(folder, with_cuda=True)
    for program in folder.iterdir():
        subprocess.run(["strip", program], check=True)
        needed = subprocess.run(["readelf", "-d", program], check=True, capture_output=True, text=True).stdout
        if found := re.search(r"NEEDED.*\[(lib(cu|nv|nccl).*)\]", needed):
            sys.exit(f"{program} needs {found[1]} before it starts")


def add_sources(stage: Path):
    for pattern in SOURCES:
        for source in sorted(ROOT.glob(pattern)):
            for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
                if file.is_file() and "__pycache__" not in file.parts:
                    place = stage / file.relative_to(ROOT)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, place)


def add_posts(folder: Path, data: Path | None):
    """As many real posts, each with a picture of its own, or generated ones."""
    folder.mkdir()
    if data is None:
        subprocess.run([WORK / "kit" / "bin" / "mmfnd", "world", "--unlabelled", "--posts", str(POSTS), "--out", folder], check=True, cwd=ROOT)
        (folder / "facts.jsonl").rename(folder / "posts.jsonl")
        return
    whole, seen, lines = WORK / "twitter", set(), []
    subprocess.run([WORK / "kit" / "bin" / "mmfnd", "import", "twitter", data / "twitter_mediaeval", "--out", whole], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    import pyarrow.parquet as parquet

    for post in parquet.read_table(whole / "posts.parquet", columns=["text", "images"]).to_pylist():
        if len(post["images"]) == 1 and post["images"][0] not in seen and len(lines) < POSTS:
            picture = whole / post["images"][0]
            name = f"{len(lines)}{picture.suffix}"
            shutil.copy(picture, folder / name)
            seen.add(post["images"][0])
            lines.append(json.dumps({"text": post["text"], "image": name}) + "\n")
    (folder / "posts.jsonl").write_text("".join(lines), encoding="utf-8")


def add_libraries(stage: Path):
    """ONNX Runtime with the CUDA provider, fetched as `mmfnd doctor --install cuda` does, and that for Python and the processor."""
    cache = stage / "cache"
    subprocess.run([stage / "bin" / "mmfnd", "doctor", "--install", "cuda"], check=True, cwd=ROOT, env={**os.environ, "MMFND_CACHE": str(WORK / "cache")})
    shutil.copytree(WORK / "cache" / LIBRARY_CUDA, cache / LIBRARY_CUDA)
    requirements = WORK / "onnxruntime.txt"
    requirements.write_text(ONNXRUNTIME)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-compile"]
    subprocess.run([*pip, "--python-version", "3.12", "--platform", "manylinux_2_28_x86_64", "--target", stage / "site", "-r", requirements], check=True)
    (cache / ONNXRUNTIME_CPU).mkdir()
    for library in (stage / "site" / "onnxruntime" / "capi").glob("libonnxruntime.so*"):
        shutil.move(library, cache / ONNXRUNTIME_CPU / library.name)


def pack(stage: Path, archive: Path):
    # Programs last, one beside the other.
    entries = sorted(stage.iterdir(), key=lambda entry: (entry.name == "bin", entry.name))
    with lzma.open(archive, "wb", format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=PACKING) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for entry in entries:
            tar.add(entry, entry.name)


def cut(archive: Path, out: Path, size: int) -> list[Path]:
    """A folder for each piece, with its checksum and the script that takes it on the other machine."""
    shutil.rmtree(out, ignore_errors=True)
    count = -(-archive.stat().st_size // size)
    even, whole, folders = -(-archive.stat().st_size // count), sha256(archive), []
    with open(archive, "rb") as source:
        for number in range(1, count + 1):
            folder = out / str(number)
            folder.mkdir(parents=True)
            piece = folder / "piece"
            piece.write_bytes(source.read(even))
            about = {"number": number, "of": count, "sha256": sha256(piece), "sha256_of_all": whole}
            (folder / "piece.json").write_text(json.dumps(about, indent=1) + "\n")
            shutil.copy(Path(__file__).with_name("take.py"), folder)
            folders.append(folder)
    return folders


def sha256(file: Path) -> str:
    with open(file, "rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def show(stage: Path, archive: Path, folders: list[Path]):
    for program in sorted((stage / "bin").iterdir()):
        print(f"{program.name:<14} {program.stat().st_size / MIB:6.1f} MiB stripped")
    print(f"packed         {archive.stat().st_size / MIB:6.1f} MiB; transfers: {len(folders)}")
    for number, folder in enumerate(folders, 1):
        size = sum(file.stat().st_size for file in folder.iterdir()) / MIB
        shown = os.path.relpath(folder)
        check = ' --check "${OUT:-mmfnd-gpu-results}"' if number == len(folders) else ""
        print(f"\ntransfer {number} of {len(folders)}: copy {shown} ({size:.1f} MiB) to the machine, keeping its path, and run\n    python3 {shown}/take.py{check}")
    print("\nThe pieces stay in /tmp/mmfnd-gpu there until the last one is in. The check takes at most 8 minutes and leaves gpu.json and gpu.md in the named folder.")


if __name__ == "__main__":
    main()
