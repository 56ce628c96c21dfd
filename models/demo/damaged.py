"""Writes a preset whose ResNet is the demo's with a damaged fourth layer, to see what training it mends (docs/online.md).

    python3 models/demo/damaged.py FOLDER [--noise 1.0] [--kept 2] [--seed 0]      # FOLDER/damaged.toml, for `mmfnd encode --preset FOLDER/damaged.toml`

Each convolution of layer 4 gets noise of so many times its own deviation, and those whose sum the layer gives (the last one and the shortcut) lose the weights of all but so many of their 96 channels, which are constant from then on. The ONNX file
and the weights that training starts from are damaged alike; everything else is the demo's.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors import safe_open
from safetensors.numpy import save_file

from backbone import place

HERE = Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("--kept", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(a.seed)
    model = onnx.load(HERE / "resnet.onnx")
    with safe_open(HERE / "resnet.safetensors", "numpy") as file:
        weights, about = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
    initialisers = {value.name: value for value in model.graph.initializer}
    for node in (node for node in model.graph.node if node.op_type == "Conv"):
        name = f"{place(node.output[0])[0]}.weight"
        if name.startswith("layer4."):
            weight = weights[name]
            weight = weight + (a.noise * weight.std() * draw.standard_normal(weight.shape)).astype(np.float32)
            if "conv1" not in name:
                weight[a.kept :] = 0
            weights[name] = weight
            initialisers[node.input[1]].CopyFrom(numpy_helper.from_array(weights[name], node.input[1]))
    onnx.save(model, str(a.folder / "resnet.onnx"))
    save_file(weights, str(a.folder / "resnet.safetensors"), metadata=about)
    sha256 = lambda name: hashlib.sha256((a.folder / name).read_bytes()).hexdigest()
    text = (HERE.parent / "presets" / "demo.toml").read_text(encoding="utf-8").replace('name = "demo"', 'name = "damaged"', 1)
    lines = []
    for line in text.replace("../demo/", f"{HERE}/").splitlines():
        for name, sum_key in [("resnet.onnx", "sha256"), ("resnet.safetensors", "backbone_sha256")]:
            if line.endswith(f'/{name}"'):
                line, expected = line.replace(str(HERE), str(a.folder.resolve())), sum_key
        if line.split(" = ")[0] in ("sha256", "backbone_sha256") and lines and str(a.folder.resolve()) in lines[-1]:
            line = f'{expected} = "{sha256(lines[-1].rsplit("/", 1)[1].strip(chr(34)))}"'
        lines.append(line)
    (a.folder / "damaged.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {a.folder / 'damaged.toml'}")


if __name__ == "__main__":
    main()
