"""Writes COUNT posts for the measurement of memory: each with a text of its own and one of 100 small pictures.

    python3 tests/speed/synthetic.py COUNT FOLDER       # FOLDER/posts.csv, for `mmfnd import manifest`
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image


def main():
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for number in range(100):
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(folder / f"{number}.png")
    with open(folder / "posts.csv", "w", encoding="utf-8") as file:
        file.write("id,text,image,label,split\n")
        for number in range(count):
            file.write(f"p{number},boat {number},{number % 100}.png,{'fake' if number % 2 else 'real'},train\n")


if __name__ == "__main__":
    main()
