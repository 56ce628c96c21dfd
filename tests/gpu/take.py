"""Takes one piece of the kit on the machine with the card; after the last one, unpacks the kit and, where asked, runs the check.

    python3 take.py [--to /tmp/mmfnd-gpu] [--check FOLDER FOR THE RESULTS]

Travels with each piece; needs nothing but Python's own library.
"""

import argparse
import hashlib
import json
import lzma
import os
import shutil
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def sha256(file: Path) -> str:
    with open(file, "rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


class Joined:
    """The pieces one behind the other, as a file to read; what was read is summed up."""

    def __init__(self, pieces: list[Path]):
        self.pieces, self.sum, self.file = iter(pieces), hashlib.sha256(), None

    def read(self, size: int = -1) -> bytes:
        while True:
            if self.file is None:
                piece = next(self.pieces, None)
                if piece is None:
                    return b""
                self.file = open(piece, "rb")
            if data := self.file.read(size):
                self.sum.update(data)
                return data
            self.file.close()
            self.file = None


def take(to: Path) -> bool:
    """Keeps the piece that lies here; whether all are there."""
    about = json.loads((HERE / "piece.json").read_text())
    if sha256(HERE / "piece") != about["sha256"]:
        sys.exit(f"piece {about['number']} of {about['of']} is damaged: copy {HERE} again")
    folder = to / about["sha256_of_all"][:16]
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "piece", folder / f"{about['number']}.partial")
    os.replace(folder / f"{about['number']}.partial", folder / str(about["number"]))
    missing = [str(number) for number in range(1, about["of"] + 1) if not (folder / str(number)).exists()]
    print(f"piece {about['number']} of {about['of']} taken" + (f"; missing: {', '.join(missing)}" if missing else ""))
    if missing:
        return False
    unpack([folder / str(number) for number in range(1, about["of"] + 1)], to / "kit", about["sha256_of_all"])
    return True


def unpack(pieces: list[Path], kit: Path, expected: str):
    shutil.rmtree(kit, ignore_errors=True)
    joined = Joined(pieces)
    with lzma.open(joined) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
        tar.extractall(kit, filter="data")
    while joined.read(1 << 20):  # what tar did not need of the end
        pass
    if joined.sum.hexdigest() != expected:
        shutil.rmtree(kit)
        sys.exit("the joined pieces are not what was packed: transfer them all again")
    print(f"unpacked; the check: bash {kit}/tests/gpu/check.sh")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=Path("/tmp/mmfnd-gpu"))
    parser.add_argument("--check", type=Path, metavar="FOLDER")
    a = parser.parse_args()
    is_whole = take(a.to)
    if a.check and not is_whole:
        sys.exit("the check needs all pieces")
    if a.check:
        results = a.check.resolve()
        sys.stdout.flush()
        os.execvpe("bash", ["bash", str(a.to / "kit" / "tests" / "gpu" / "check.sh"), str(results)], {**os.environ, "PYTHON": sys.executable})


if __name__ == "__main__":
    main()
