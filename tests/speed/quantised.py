"""What int8 does to a trained head: the demo's encoders (trained, small) quantised as models/export.py quantises the real ones, the same head on both, on the demo world.

Random full-size weights would make a head that has learned nothing, so the real presets cannot answer this without their checkpoints.
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

SETTINGS = ["--set", "train.epochs=15", "--set", "train.learning_rate=1e-3"]


def pixels(world):
    """The world's first pictures as the demo's ResNet sees them.  [64, 3, 64, 64]"""
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
        if model.stem == "resnet":
            convert.calibrate(model, folder / model.name, pixels(world))
        else:
            convert.derive(model, folder / model.name, "int8")
        old, new = (hashlib.sha256(file.read_bytes()).hexdigest() for file in [model, folder / model.name])
        text = text.replace(old, new)
    path = folder / "demo-int8.toml"
    path.write_text(re.sub('^name = "demo"', 'name = "demo-int8"', text, flags=re.MULTILINE))
    return path


def compare(mmfnd, folder, seeds=(1, 2, 3)):
    """Test accuracy of heads on fp32 and int8 features, by seed, and the least and mean cosine of the features."""
    mmfnd("world", "--out", folder / "world")
    posts, features, accuracy = folder / "world" / "posts.parquet", {}, {}
    (folder / "int8").mkdir()
    for name, chosen in [("fp32", "demo"), ("int8", preset(folder / "int8", folder / "world"))]:
        store = folder / f"store-{name}"
        mmfnd("encode", "--posts", posts, "--preset", chosen, "--store", store)
        mmfnd("features", "export", store, "--posts", posts, "--out", folder / f"{name}.parquet")
        features[name] = parquet.read_table(folder / f"{name}.parquet").to_pydict()
        accuracy[name] = []
        for seed in seeds:
            run = folder / f"run-{name}-{seed}"
            mmfnd("train", "--posts", posts, "--store", store, "--out", run, "--seed", seed, *SETTINGS)
            accuracy[name].append(round(json.loads((run / "metrics.json").read_text())["test"]["accuracy"], 4))
    cosines = {}
    for encoder in ["bert", "clip_text", "clip_image", "resnet"]:
        a, b = (np.array(features[name][encoder], np.float64) for name in ["fp32", "int8"])
        cosine = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
        cosines[encoder] = {"least": round(float(cosine.min()), 5), "mean": round(float(cosine.mean()), 5)}
    return {"test_accuracy": accuracy, "cosine": cosines}
