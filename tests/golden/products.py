"""A small residual network with a linear map behind it, as PyTorch exports and computes it: what stage 1 takes out of such a model has to give the same.

    python3 -m pip install -r tests/golden/requirements.txt
    python3 tests/golden/products.py      # writes tests/golden/products.onnx and products.safetensors; checked by crates/encode/src/products/tests.rs
"""

import io
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = Path(__file__).parent


class Network(torch.nn.Module):
    """Two convolutions with a shortcut that is a convolution itself, one with the block's own input as shortcut, then a linear map."""

    def __init__(self):
        super().__init__()
        convolution = lambda inputs, outputs, kernel, stride: torch.nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
        self.first, self.second, self.shortcut = convolution(32, 32, 3, 2), convolution(32, 64, 1, 1), convolution(32, 64, 1, 2)
        self.down, self.up = convolution(64, 32, 1, 1), convolution(32, 64, 3, 1)
        self.widen = convolution(64, 256, 1, 1)
        self.linear = torch.nn.Linear(256, 260)

    def forward(self, maps):
        block = F.relu(self.second(F.relu(self.first(maps))) + self.shortcut(maps))
        block = F.relu(block + self.up(F.relu(self.down(block))))
        return self.linear(self.widen(block).flatten(2).mean(2, keepdim=True).transpose(1, 2))


def main():
    torch.manual_seed(11)
    network, maps = Network().eval(), torch.randn(3, 32, 15, 18)
    file = io.BytesIO()
    torch.onnx.export(network, (maps,), file, input_names=["maps"], output_names=["result"], dynamic_axes={"maps": {0: "pictures"}}, opset_version=17, dynamo=False)
    (HERE / "products.onnx").write_bytes(file.getvalue())
    with torch.no_grad():
        result = network.double()(maps.double()).float()
    save_file({"maps": maps, "result": result.contiguous()}, HERE / "products.safetensors")


if __name__ == "__main__":
    main()
