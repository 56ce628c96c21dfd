"""Golden files of ResNet trained online: torchvision's blocks with few channels, in `resnet_*.safetensors`.

    python3 tests/golden/resnet.py

Computed in float64. Each file holds pixels, weights under torchvision's names, what came out, a gradient for the output, every gradient, the
running statistics after a step, and the weights after five steps of AdamW.
"""

import copy
import json
from pathlib import Path

import onnx
import onnxruntime
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

HERE = Path(__file__).resolve().parent
SIDE, PICTURES = 33, 3
SEED = 27  # with others a gradient is lost in rounding, and five steps of AdamW end elsewhere in float32 than in float64
WIDTHS, BLOCKS, STRIDES = (4, 4, 6, 4, 5), (1, 2, 1, 2), (1, 2, 2, 2)
RATE, DECAY, STEPS = 1e-2, 0.1, 5


class Small(torchvision.models.ResNet):
    """torchvision's network, with widths of our own."""

    def __init__(self, block):
        nn.Module.__init__(self)
        self._norm_layer, self.groups, self.base_width, self.dilation = nn.BatchNorm2d, 1, 64, 1
        self.inplanes = WIDTHS[0]
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, 2, 3, bias=False)
        self.bn1, self.relu, self.maxpool = nn.BatchNorm2d(WIDTHS[0]), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        for i, (width, blocks, stride) in enumerate(zip(WIDTHS[1:], BLOCKS, STRIDES), 1):
            setattr(self, f"layer{i}", self._make_layer(block, width, blocks, stride))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Identity()


def randomise(model, generator):
    """Weights and statistics as after a training, so that no batch norm is the identity."""
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        noise = torch.randn(value.shape, generator=generator)
        if value.ndim > 1:
            value.copy_(noise * (2 / value[0].numel()) ** 0.5)
        elif name.endswith("running_var"):
            value.copy_(0.6 + noise.abs())
        elif name.endswith("weight"):  # so that sums of several blocks stay of order 1, as the tolerances want it
            value.copy_(0.3 + 0.3 * noise.abs())
        else:
            value.copy_(0.3 * noise)


def write(name, block, first, train_norms):
    generator = torch.Generator().manual_seed(SEED)
    model = Small(block)
    randomise(model, generator)
    pixels = torch.randn(PICTURES, 3, SIDE, SIDE, generator=generator).double()
    model.double()  # what is compared with is rounded once, at the end
    frozen = ["conv1", "bn1", *(f"layer{i}" for i in range(1, first))] if first else []
    for part in frozen:
        getattr(model, part).requires_grad_(False)
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        if not train_norms:
            norm.requires_grad_(False)
    file = {f"weight.{key}": value.clone() for key, value in model.state_dict().items() if not key.endswith("tracked")}
    file["pixels"] = pixels
    file["output_eval"] = model.eval()(pixels).detach()
    if first == 4:
        file["map"] = model.layer3(model.layer2(model.layer1(model.maxpool(model.relu(model.bn1(model.conv1(pixels))))))).detach()

    def mode(net):
        net.eval()
        if train_norms:
            net.train()
            for part in frozen:
                getattr(net, part).eval()

    mode(model)
    output = model(pixels)
    d_output = torch.randn(output.shape, generator=generator).double()
    (output * d_output).sum().backward()
    file["output"], file["d_output"] = output.detach(), d_output
    for key, weight in model.named_parameters():
        if weight.grad is not None:
            file[f"grad.weight.{key}"] = weight.grad.clone()
    for key, value in model.state_dict().items():
        if "running" in key and train_norms:
            file[f"after.{key}"] = value.clone()
    stepped = copy.deepcopy(model)
    state = {key[7:]: value for key, value in file.items() if key.startswith("weight.")}
    stepped.load_state_dict(state, strict=False)
    trained = [weight for weight in stepped.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=DECAY)
    mode(stepped)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (stepped(pixels) * d_output).sum().backward()
        optimizer.step()
    for key, weight in stepped.named_parameters():
        if weight.requires_grad:
            file[f"stepped.{key}"] = weight.detach().clone()
    about = {
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "seed": SEED,
        "rate": RATE,
        "decay": DECAY,
        "steps": STEPS,
    }
    if name == "layer4":
        saved = {key: value.float() if value.is_floating_point() else value for key, value in model.state_dict().items()}
        saved |= {"fc.weight": torch.ones(3, 5), "fc.bias": torch.ones(3)}
        torch.save(saved, HERE / "resnet.pth")
        torch.save(saved, HERE / "resnet_legacy.pth", _use_new_zipfile_serialization=False)
    tensors = {key: value.float().contiguous() for key, value in file.items()}
    save_file(tensors, str(HERE / f"resnet_{name}.safetensors"), metadata={"about": json.dumps(about)})


def write_demo():
    """What ONNX Runtime makes of the demo's ResNet: pooled features and the map of layer 3, in `resnet_demo.safetensors`."""
    model = onnx.load(HERE.parents[1] / "models" / "demo" / "resnet.onnx")
    layer3 = [node.output[0] for node in model.graph.node if "/blocks.2/" in node.output[0]][-1]
    model.graph.output.append(onnx.helper.make_tensor_value_info(layer3, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(SEED))
    pooled, layer3 = session.run(["pooled", layer3], {"pixel_values": pixels.numpy()})
    tensors = {"pixels": pixels, "pooled": torch.from_numpy(pooled), "map": torch.from_numpy(layer3)}
    about = {"onnxruntime": onnxruntime.__version__, "seed": SEED}
    save_file(tensors, str(HERE / "resnet_demo.safetensors"), metadata={"about": json.dumps(about)})


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    write("layer4", Bottleneck, 4, False)
    write("layer3_norms", Bottleneck, 3, True)
    write("all", Bottleneck, 0, False)
    write("all_basic_norms", BasicBlock, 0, True)
    write_demo()
