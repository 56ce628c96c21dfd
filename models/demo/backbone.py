"""Writes resnet.safetensors beside resnet.onnx: the demo's ResNet under torchvision's names, to be trained from.

    python3 models/demo/backbone.py        # train.py calls it, too

The export folds each batch norm into its convolution, and only the ONNX file was kept. So a norm here has scale 1, the folded bias as its shift, running mean 0 and the running variance at which
torchvision's norm divides by 1: at inference the network is the same. With batch norms that follow the batch it would be another one. What shapes do not tell (strides, the stem, no pool) stands in the
metadata under `about`.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
EPSILON = np.float32(1e-5)
LAYOUT = {"stem": [6, 4, 1], "pool": False, "strides": [1, 2, 2, 1]}


def third_layer(path):
    """The value in the graph that the last block of layer 3 gives."""
    relus = [node.output[0] for node in onnx.load(path).graph.node if node.op_type == "Relu" and "/blocks.2/" in node.output[0]]
    return relus[-1]


def place(node):
    """torchvision's names of a convolution and of its norm."""
    parts = [part.split(".") for part in node.strip("/").split("/")]
    if parts[0][0] == "stem":
        return "conv1", "bn1"
    layer = f"layer{int(parts[1][1]) + 1}.0"
    if parts[2][0] == "shortcut":
        return f"{layer}.downsample.0", f"{layer}.downsample.1"
    return f"{layer}.{parts[2][0]}", f"{layer}.{parts[2][0].replace('conv', 'bn')}"


def write_backbone():
    graph = onnx.load(HERE / "resnet.onnx").graph
    values = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    weights = {}
    for node in (node for node in graph.node if node.op_type == "Conv"):
        convolution, norm = place(node.output[0])
        weight, bias = (values[name] for name in node.input[1:])
        weights[f"{convolution}.weight"] = weight
        ones, zeros = np.ones_like(bias), np.zeros_like(bias)
        weights |= {f"{norm}.weight": ones, f"{norm}.bias": bias, f"{norm}.running_mean": zeros, f"{norm}.running_var": ones - EPSILON}
    path = HERE / "resnet.safetensors"
    save_file({name: np.ascontiguousarray(weights[name]) for name in sorted(weights)}, str(path), metadata={"about": json.dumps(LAYOUT)})
    print(f"wrote {path}, {len(weights)} tensors")


if __name__ == "__main__":
    write_backbone()
