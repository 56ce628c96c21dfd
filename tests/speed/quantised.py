"""What bf16 and int8 do to a trained head: the demo's encoders (trained, small) in each precision, the same head on all, on the demo world.

    python3 tests/speed/quantised.py FOLDER        # alone, with the program that cargo built; `speed.py` calls it too

In int8 they are quantised as models/export.py quantises the real ones. Random full-size weights would make a head that has learned nothing, so the real presets cannot answer this without their checkpoints.
bf16 needs a processor with the instructions for it and is left out elsewhere.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "models"))

import convert  # noqa: E402

# Student's 97.5 % quantile for the differences of ten seeds.
SEEDS, QUANTILE = range(1, 11), 2.262
SETTINGS = ["--set", "train.epochs=15", "--set", "train.learning_rate=1e-3"]


def pixels(world):
    """The world's first pictures as the demo's picture encoders see them.  [64, 3, 64, 64]"""
    files = sorted((world / "images").iterdir())[:64]
    dump = [ROOT / "target" / "release" / "examples" / "dump", "pixels", "demo", "resnet"]
    out = subprocess.run(dump, input="".join(f"{file}\n" for file in files).encode(), check=True, stdout=subprocess.PIPE).stdout
    values = np.frombuffer(out, np.uint8).reshape(64, 1 + 64 * 64 * 3)[:, 1:].reshape(64, 64, 64, 3)
    return ((values / 255 - 0.5) / 0.25).astype(np.float32).transpose(0, 3, 1, 2)


def preset(folder, world):
    """The demo's preset with int8 models, in `folder`."""
    for file in (ROOT / "models" / "demo").iterdir():
        if file.suffix in [".json", ".safetensors"]:
            shutil.copy(file, folder / file.name)
    text = (ROOT / "models" / "presets" / "demo.toml").read_text().replace("../demo/", "").replace('precision = "f32"', 'precision = "int8"')
    for model in sorted((ROOT / "models" / "demo").glob("*.onnx")):
        if model.stem in ["clip_image", "resnet"]:  # convolutions, both
            convert.calibrate(model, folder / model.name, pixels(world))
        else:
            convert.derive(model, folder / model.name, "int8")
        old, new = (hashlib.sha256(file.read_bytes()).hexdigest() for file in [model, folder / model.name])
        text = text.replace(old, new)
    path = folder / "demo-int8.toml"
    path.write_text(re.sub('^name = "demo"', 'name = "demo-int8"', text, flags=re.MULTILINE))
    return path


def compare(mmfnd, folder):
    """Test accuracies of heads on features of each precision, by seed, how far they are from fp32's, and the least and mean cosine of the features."""
    mmfnd("world", "--out", folder / "world")
    posts, features, accuracy = folder / "world" / "posts.parquet", {}, {}
    (folder / "int8").mkdir()
    ways = {"fp32": ["demo"], "int8": [preset(folder / "int8", folder / "world")]}
    if {"avx512_bf16", "amx_bf16"} & set(Path("/proc/cpuinfo").read_text().split()):
        ways["bf16"] = ["demo", "--precision", "bf16"]
    for name, chosen in ways.items():
        store = folder / f"store-{name}"
        mmfnd("encode", "--posts", posts, "--store", store, "--preset", *chosen)
        mmfnd("features", "export", store, "--posts", posts, "--out", folder / f"{name}.parquet")
        features[name] = parquet.read_table(folder / f"{name}.parquet").to_pydict()
        accuracy[name] = []
        for seed in SEEDS:
            run = folder / f"run-{name}-{seed}"
            mmfnd("train", "--posts", posts, "--store", store, "--out", run, "--seed", seed, *SETTINGS)
            accuracy[name].append(json.loads((run / "metrics.json").read_text())["test"]["accuracy"])
    return {name: against(name, features, accuracy) for name in features}


def against(name, features, accuracy):
    """One precision beside fp32."""
    cosines = {}
    for encoder in ["bert", "clip_text", "clip_image", "resnet"]:
        a, b = (np.array(features[of][encoder], np.float64) for of in ["fp32", name])
        cosine = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
        cosines[encoder] = {"least": round(float(cosine.min()), 5), "mean": round(float(cosine.mean()), 5)}
    differences = np.subtract(accuracy[name], accuracy["fp32"])
    spread = QUANTILE * float(differences.std(ddof=1)) / len(differences) ** 0.5
    return {
        "test_accuracy": [round(value, 4) for value in accuracy[name]], "mean": round(float(np.mean(accuracy[name])), 4),
        "difference": round(float(differences.mean()), 4), "interval_95": [round(float(differences.mean()) + side * spread, 4) for side in (-1, 1)], "cosine": cosines,
    }


if __name__ == "__main__":
    program = ROOT / "target" / "release" / "mmfnd"
    results = compare(lambda *words: subprocess.run([program, *map(str, words)], check=True, stdout=sys.stderr), Path(sys.argv[1]))
    print(json.dumps(results, indent=1))
