"""Writes the golden files of the ten other methods: weights, inputs, outputs, gradients and running statistics of one batch, and where ten batches lead.

    python tests/golden/heads/export.py [HEAD ...]     (torch and safetensors: ../requirements.txt)

A file holds `input.*` (tokens of all posts one after the other, with `input.lengths`), `weight.*` and `memory.*` before the batch; of each step of it `train.STEP.logits`, `train.STEP.loss.NAME` and
`grad.STEP.NAME`; `after.*` (running statistics, all steps done, no weight changed) and `memory_after.*`; `eval.*` at inference with `weight.*`, of an earlier stage `evalN.*`.
A trajectory goes over two batches in turn: `losses.STEP` (a number for each batch that had the step) and `end.*`, the weights at its end as far as PyTorch's float32 and float64 agree on them: a bias
before a norm has a gradient of rounding errors only. Sizes, options and what a batch is trained by are in `__metadata__`.
"""

import copy
import importlib
import json
import platform
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from layers import Noise, posts, unit
from reference import weights

SEED, HERE = 20261128, Path(__file__).resolve().parent
B, STEPS, WEIGHT_DECAY = 8, 10, 0.1
RATES = {"cafe": 1e-4, "mcan": 3e-4}  # else 1e-3; at larger ones float32 and float64 part
NOISE = dict(seed=7, step=3)
SIZES = dict(layers=2, bert=6, resnet=10, resnet_classes=7, clip=5, events=3, posts=2 * B)
FAITHFUL_SIZES = dict(vgg=12, vgg_classes=8, ela=9)  # of what only the faithful variants read
LENGTHS = [1, 2, 9, 4, 3, 5, 8, 2, 7, 3, 1, 6, 2, 4, 10, 3]
LABELS = [0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1]  # the second batch has three real posts: too few for CAFE's alignment
EVENTS = [0, 1, -1, 2, 0, 0, -1, 2, -1, -1, -1, -1, -1, -1, -1, -1]
PICTURES = [0, 1, 2, 3, 4, 0, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]  # of the real ones the first and the fourth show the same
SMALL = {
    "eann": dict(filters=3, hidden=4, reversal=0.7),
    "cafe": dict(filters=4, text_hidden=8, image_hidden=8, width=8, shared=6, branch=4, hidden=6),
    "cmc": dict(hidden=6, projection=5, negatives=3, contrast=0.3),
    "fnd_clip": dict(hidden=6, branch=4),
    "safe": dict(reduced=5, filters=4, image_hidden=6, width=4),
    "mcan": dict(width=8, feed=10, heads=2, hidden=5),
    "liimr": dict(width=8, heads=2, feed=10, filters=4),
    "mvae": dict(text_hidden=5, image_hidden=7, single=4, latent=4),
    "mcnn": dict(gru=3, image_hidden=6, width=4),
    "mkemn": dict(gru=3, image=4, filters=4, width=6, slots=3, hidden=5),
}
WEIGHTS = {  # as docs/heads.md counts them, with two events
    "eann": 190_580, "cafe": 2_000_298, "cmc": 789_254, "fnd_clip": 3_086_671, "safe": 594_658, "mcan": 5_337_707, "liimr": 3_479_044, "mvae": 4_390_242, "mcnn": 1_321_730, "mkemn": 726_402,
}
FAITHFUL = {"eann": 190_580, "mvae": 8_586_594, "mcnn": 1_862_722}
DROPOUT = ("cafe", "fnd_clip", "mcan", "liimr", "mcnn", "mkemn")
RELEASED = ("cafe", "cmc", "eann", "fnd_clip", "liimr", "mcan", "mvae")


def randomise(module: nn.Module):
    """Lets the signal through, and moves what starts as 0 or 1 off it, so that a mistake shows."""
    for name, parameter in module.named_parameters():
        if parameter.dim() > 1:
            nn.init.kaiming_normal_(parameter)
        else:
            nn.init.normal_(parameter, mean=1.0 if "norm" in name and name.endswith("weight") else 0.0, std=0.4)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(buffer, std=0.3)
        elif name.endswith("running_var"):
            nn.init.uniform_(buffer, 0.4, 1.6)


def batch() -> dict:
    """Seeded features with something to learn."""
    n, label = 2 * B, torch.tensor(LABELS)
    shift = (2.0 * label - 1.0).view(n, 1) * 0.5
    clip_text = torch.randn(n, SIZES["clip"])
    return {
        "bert": torch.randn(n, SIZES["layers"], SIZES["bert"]) + shift.view(n, 1, 1),
        "resnet": torch.randn(n, SIZES["resnet"]).abs() + shift.clamp(min=0),
        "resnet_logits": torch.randn(n, SIZES["resnet_classes"]) + shift,
        "clip_text": clip_text,
        "clip_image": torch.randn(n, SIZES["clip"]) - shift * clip_text,
        "tokens": [torch.randn(t, SIZES["bert"]) + s for t, s in zip(LENGTHS, shift)],
        "label": label,
        "event": torch.tensor(EVENTS),
        "picture": torch.tensor(PICTURES),
        "post": torch.arange(n),
    }


def faithful(label: Tensor) -> dict:
    """What a store may have beside the standard columns."""
    n, shift = 2 * B, (2.0 * label - 1.0).view(-1, 1) * 0.5
    return {
        "vgg": torch.randn(n, FAITHFUL_SIZES["vgg"]) + shift,
        "vgg_logits": torch.randn(n, FAITHFUL_SIZES["vgg_classes"]) + shift,
        "ela": torch.randn(n, FAITHFUL_SIZES["ela"]).abs() + shift.clamp(min=0),
    }


def memory(name: str, projection: int) -> dict:
    if name != "cmc":
        return {}
    banks = {key: unit(torch.randn(2 * B, projection)) for key in ("text", "image")}
    return banks | {"classes": [[i for i, y in enumerate(LABELS) if y == c] for c in (0, 1)]}


def stages(model: nn.Module) -> list:
    return getattr(model, "stages", None) or [model.steps]


def total(kind, step, label: Tensor) -> Tensor:
    terms = [weight * value for _, weight, value in step.losses]
    if step.logits is not None and kind.class_weight:
        terms.insert(0, kind.class_weight * F.cross_entropy(step.logits, label))
    return sum(terms[1:], terms[0])


def tensors_of(memory: dict) -> dict[str, Tensor]:
    return {name: x.reshape(1) if x.dim() == 0 else x for name, x in memory.items() if isinstance(x, Tensor)}


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": t for name, t in tensors.items()}


def one_batch(model: nn.Module, data: dict, memory: dict) -> dict[str, Tensor]:
    """Each step's outputs and gradients, and what it leaves."""
    file, last = {}, len(stages(model)) - 1
    model.eval()
    with torch.no_grad():
        for stage in range(last):
            file |= prefixed(f"eval{stage}", model(data, stage))
        file |= prefixed("eval", model(data))
    model.train()
    for stage in stages(model):
        for turn, kind in enumerate(stage):
            step = model.step(kind.name, data, Noise(**NOISE, turn=turn), memory)
            model.zero_grad()
            total(kind, step, data["label"]).backward()
            if step.logits is not None:
                file[f"train.{kind.name}.logits"] = step.logits
            file |= {f"train.{kind.name}.loss.{name}": value for name, _, value in step.losses}
            found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None and kind.trains(name)}
            file |= prefixed(f"grad.{kind.name}", found)
    statistics = {name: t for name, t in weights(model).items() if "running_" in name}
    return file | prefixed("after", statistics) | prefixed("memory_after", tensors_of(memory))


def trajectory(model: nn.Module, data: dict, memory: dict, rate: float) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Ten batches of each stage."""
    model.train()
    options = dict(lr=rate, weight_decay=WEIGHT_DECAY)
    losses: dict[str, list[Tensor]] = {}
    adamw = torch.optim.AdamW(model.parameters(), **options)  # a weight without a gradient is left alone
    number = 0
    for stage in stages(model):
        for _ in range(STEPS):
            half = number % 2 * B
            part = posts(data, list(range(half, half + B)))
            number += 1
            for turn, kind in enumerate(stage):
                step = model.step(kind.name, part, Noise(NOISE["seed"], number, turn), memory)
                if step is None:
                    continue
                loss = total(kind, step, part["label"])
                adamw.zero_grad()
                loss.backward()
                for name, p in model.named_parameters():
                    if not kind.trains(name):
                        p.grad = None
                adamw.step()
                losses.setdefault(kind.name, []).append(loss.detach().float())
    return prefixed("losses", {name: torch.stack(of) for name, of in losses.items()}), weights(model)


def doubled(x):
    if isinstance(x, Tensor):
        return x.double() if x.is_floating_point() else x
    if isinstance(x, dict):
        return {key: doubled(value) for key, value in x.items()}
    return [doubled(value) for value in x] if isinstance(x, list) and x and isinstance(x[0], Tensor) else x


def export(file_name: str, name: str, options: dict):
    torch.manual_seed(SEED)
    rate, is_faithful = RATES.get(name, 1e-3), options.get("inputs") == "faithful"
    sizes = SIZES | FAITHFUL_SIZES if is_faithful else SIZES
    model = importlib.import_module(name).Net(**sizes, **options)
    randomise(model)
    data, at_first = batch(), memory(name, options.get("projection", 0))
    if is_faithful:
        data |= faithful(data["label"])
    inputs = {**data, "tokens": torch.cat(data["tokens"]), "lengths": torch.tensor(LENGTHS)}
    file = prefixed("input", inputs) | prefixed("weight", weights(model)) | prefixed("memory", tensors_of(at_first))
    first = posts(data, list(range(B)))
    file |= one_batch(copy.deepcopy(model), first, dict(at_first))
    losses, end = trajectory(copy.deepcopy(model), data, dict(at_first), rate)
    _, exact = trajectory(copy.deepcopy(model).double(), doubled(data), doubled(at_first), rate)
    kept = {key: t for key, t in end.items() if (t - exact[key]).abs().max() < 2e-6}
    print(f"{file_name}: of {len(end)} weights and statistics {len(end) - len(kept)} are not compared at the end")
    file |= losses | prefixed("end", kept)
    about = {
        "torch": torch.__version__.split("+")[0], "python": platform.python_version(), "seed": SEED, "sizes": sizes, "options": options, "noise": NOISE, "batch": B,
        "learning_rate": rate, "weight_decay": WEIGHT_DECAY,
        "stages": [[{"name": kind.name, "class": kind.class_weight} for kind in stage] for stage in stages(model)],
    }
    tensors = {key: t.detach().contiguous().clone() for key, t in file.items()}
    save_file(tensors, HERE / f"{file_name}.safetensors", {"about": json.dumps(about)})


def main():
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    for name in sys.argv[1:] or SMALL:
        full = importlib.import_module(name).Net()
        assert sum(p.numel() for p in full.parameters()) == WEIGHTS[name], name
        off = dict(dropout=0.0) if name in DROPOUT else {}
        export(name, name, SMALL[name] | off)
        if name in DROPOUT:
            export(f"{name}_dropout", name, SMALL[name] | dict(dropout=0.4))
        if name in RELEASED:
            export(f"{name}_released", name, SMALL[name] | off | dict(variant="released"))
        if name in FAITHFUL:
            own = dict(inputs="faithful")
            full = importlib.import_module(name).Net(**own)
            assert sum(p.numel() for p in full.parameters()) == FAITHFUL[name], name
            export(f"{name}_faithful", name, SMALL[name] | off | own)
            if name in DROPOUT:
                export(f"{name}_faithful_dropout", name, SMALL[name] | dict(dropout=0.4) | own)


if __name__ == "__main__":
    main()
