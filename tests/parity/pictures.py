"""Compares our decoding with Pillow's over folders of pictures that the user names.

    cargo build --release -p mmfnd -p mmfnd-pictures --example decode
    python3 -m pip install pillow==13.0.0 numpy
    python3 tests/parity/pictures.py FOLDER...

For each file of a format that posts have: the RGB values, and those on white as transformers composites a picture, have to
be equal. What only one of the two opens is listed with the reason. Pillow refuses truncated files, as we do
(`ImageFile.LOAD_TRUNCATED_IMAGES` stays off). Ends with 1 where values differ.
"""

import argparse
import collections
import json
import subprocess
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
ENDINGS = {".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"}


def pillow(path):
    """RGB values, ignoring transparency and on white, or the reason why not."""
    try:
        with Image.open(path, formats=["JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF"]) as picture:
            rgb = np.asarray(picture.convert("RGB"))
            if "A" not in picture.getbands() and picture.info.get("transparency") is None:
                return rgb, rgb
            layer = picture.convert("RGBA")
            white = Image.new("RGBA", layer.size, (255, 255, 255))
            return rgb, np.asarray(Image.alpha_composite(white, layer).convert("RGB"))
    except Exception as problem:  # whatever a decoder throws is a refusal
        return f"{type(problem).__name__}: {problem}"


class Ours:
    """The example `decode`, asked file by file."""

    def __init__(self):
        program = ROOT / "target" / "release" / "examples" / "decode"
        self.program = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)

    def decode(self, path):
        self.program.stdin.write(f"{path}\n".encode())
        self.program.stdin.flush()
        answer = json.loads(self.program.stdout.readline())
        if "refusal" in answer:
            return f"{answer['kind']}: {answer['refusal']}"
        shape = (answer["height"], answer["width"], 3)
        size = shape[0] * shape[1] * 3
        return tuple(np.frombuffer(self.program.stdout.read(size), np.uint8).reshape(shape) for _ in range(2))


def compare(ours, theirs):
    """What kind of case it is, and a word about it."""
    if isinstance(ours, str) or isinstance(theirs, str):
        if isinstance(ours, str) and isinstance(theirs, str):
            return "refused by both", f"{ours} | {theirs}"
        return ("opens in Pillow alone", ours) if isinstance(ours, str) else ("opens here alone", theirs)
    if ours[0].shape != theirs[0].shape:
        return "other size", f"{ours[0].shape} {theirs[0].shape}"
    far = [int(np.abs(a.astype(int) - b).max()) for a, b in zip(ours, theirs)]
    return ("equal", "") if max(far) == 0 else ("differs", f"by up to {far[0]}, on white {far[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    folders = parser.parse_args().folders
    warnings.simplefilter("ignore")
    files = sorted(path.resolve() for folder in folders for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    program, counts = Ours(), collections.Counter()
    for path in files:
        kind, detail = compare(program.decode(path), pillow(path))
        counts[kind] += 1
        if kind not in ("equal", "refused by both"):
            print(f"{kind}\t{path.name}\t{detail}")
    print(f"\n{len(files)} files, Pillow {Image.__version__}: " + ", ".join(f"{count} {kind}" for kind, count in counts.most_common()))
    return 1 if counts["differs"] + counts["other size"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
