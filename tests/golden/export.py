"""Writes the golden files: for each part of the head and for the whole of it, what PyTorch computes.

    python3 -m pip install -r tests/golden/requirements.txt
    python3 tests/golden/export.py

A file holds `input.*`, `weight.*` (before the step), `loss_weightN` (a part's loss is the sum of loss_weightN * outputN; the whole head's is its cross-entropy), `train.*` (outputs in
training mode), `grad.input.*` and `grad.weight.*` of that loss, `after.*` (running statistics after the one training step) and `eval.*` (outputs at inference with `weight.*`).
A weight without a gradient in PyTorch has none in the file. Versions and seed, and of a whole head its sizes and options, are in `__metadata__`; so are, where dropout is on, seed and step of its masks.
"""

import json
import platform
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

import dropout
from reference import (
    Classifier, ConcatMlp, Config, Group, LayerPool, LearnedSimilarity, LinearProbe, Level, Mapping, Mmfnd, ModalityAttention, Ple, Projection, ReleasedClassifier, SimilarityWeight, mix, weights,
)

SEED = 20261124
HERE = Path(__file__).resolve().parent
B = 8
SMALL = dict(layers=3, d_bert=6, d_resnet=10, d_clip=5, d_logits=7, d_hidden=8, d_projection=6, d_fusion=5, d_branch=4, experts=2, shared_experts=3, levels=2, dropout=0.0)
CLASS_WEIGHTS, LABEL_SMOOTHING, WARM_UP, CLIP_NORM = [0.7, 1.8], 0.1, 5, 0.8
NOISE = dict(seed=7, step=3)  # of the masks of dropout
STEPS, BATCHES, LEARNING_RATE, WEIGHT_DECAY = 20, 3, 3e-3, 0.1  # at 1e-2 PyTorch itself strays from its float64 run by 2e-3


def randomise(module: nn.Module):
    """Moves what PyTorch initialises to 0 or 1 off those values, and lets the signal through, so that a mistake shows."""
    for name, parameter in module.named_parameters():
        if parameter.dim() == 2:
            nn.init.kaiming_normal_(parameter)
        else:
            nn.init.normal_(parameter, mean=1.0 if "norm" in name and name.endswith("weight") else 0.0, std=0.4)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(buffer, std=0.3)
        elif name.endswith("running_var"):
            nn.init.uniform_(buffer, 0.4, 1.6)


def statistics(module: nn.Module) -> dict[str, Tensor]:
    return {name: t for name, t in weights(module).items() if "running_" in name}


def save(name: str, tensors: dict[str, Tensor], **metadata: object):
    about = {"torch": torch.__version__.split("+")[0], "python": platform.python_version(), "seed": SEED, **metadata}
    tensors = {key: t.detach().contiguous().clone() for key, t in tensors.items()}
    save_file(tensors, HERE / f"{name}.safetensors", {"about": json.dumps(about)})  # one key: the order of several is not kept


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": t for name, t in tensors.items()}


def gradients(module: nn.Module, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    found = {f"grad.weight.{name}": p.grad for name, p in module.named_parameters() if p.grad is not None}
    return found | {f"grad.input.{name}": t.grad for name, t in inputs.items() if t.grad is not None}


def noise(model: nn.Module, p: float, **at: int) -> dict:
    """Turns dropout of the head on, if it has any; what the file says about it."""
    if not p:
        return {}
    at = {**NOISE, **at}
    dropout.draw(model, **at)
    return {"noise": at}


def part(name: str, module: nn.Module, inputs: dict[str, Tensor], forward=None, p: float = 0.0):
    """One part; the loss weighs each number of its output, and each of several outputs, differently."""
    randomise(module)
    about = noise(module, p)
    file = prefixed("input", inputs) | prefixed("weight", weights(module))

    def outputs(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        out = (forward or module)(*inputs.values())
        out = [o for o in out if o is not None] if isinstance(out, tuple) else [out]
        return {f"output{i}": o for i, o in enumerate(out)}

    module.eval()
    with torch.no_grad():
        out = outputs(inputs)
        file |= prefixed("eval", out) | {f"loss_weight{i}": torch.randn_like(o) for i, o in enumerate(out.values())}
    module.train()
    inputs = {key: t.clone().requires_grad_() for key, t in inputs.items()}
    out = outputs(inputs)
    sum((file[f"loss_weight{i}"] * o).sum() for i, o in enumerate(out.values())).backward()
    file |= prefixed("train", out) | gradients(module, inputs) | prefixed("after", statistics(module))
    save(name, file, **about)


def parts():
    part("layer_pool", LayerPool(4, 8), {"layers": torch.randn(B, 4, 8)})
    part("layer_pool_query", LayerPool(4, 8, "query"), {"layers": torch.randn(B, 4, 8)})
    part("layer_pool_released", LayerPool(4, 8, "released"), {"layers": torch.randn(B, 4, 8)})
    part("projection", Projection(9, 12, 8, dropout=0.0), {"x": torch.randn(B, 9)})
    part("mapping", Mapping(8, 6, 4), {"x": torch.randn(B, 8)})
    group = Group(8, 2)
    part("experts", group, {"x": torch.randn(B, 8)}, lambda x: group(x).flatten(1))
    gate = nn.Linear(8, 5)
    part("gate", gate, {"selector": torch.randn(B, 8), "experts": torch.randn(B, 5, 8)}, lambda x, e: mix(gate, x, e))
    part("ple_level", Level(6, 2, 3, last=False), {"a": torch.randn(B, 6), "s": torch.randn(B, 6), "b": torch.randn(B, 6)})
    for levels in (1, 2, 3):
        part(f"ple_{levels}", Ple(6, 2, 1, levels), {"x": torch.randn(B, 6)})
    for name, weigh in (("similarity", SimilarityWeight()), ("similarity_learned", LearnedSimilarity())):
        step7 = lambda text, image, fused, weigh=weigh: weigh(F.cosine_similarity(text, image, dim=1)) * fused
        part(name, weigh, {"clip_text": torch.randn(B, 5), "clip_image": torch.randn(B, 5), "fused": torch.randn(B, 4)}, step7)
    part("attention", ModalityAttention(3), {"branches": torch.randn(B, 3, 8)})
    part("classifier", Classifier(8, 8), {"x": torch.randn(B, 8)})
    part("classifier_released", ReleasedClassifier(8, 8), {"x": torch.randn(B, 8)})


def posts(c: Config, n: int) -> dict[str, Tensor]:
    """Seeded features with something to learn, and labels."""
    y = torch.arange(n) % 2
    y = y[torch.randperm(n)]
    shift = (2.0 * y - 1.0).view(n, 1) * 0.5
    clip_text = torch.randn(n, c.d_clip)
    return {
        "bert": torch.randn(n, c.layers, c.d_bert) + shift.view(n, 1, 1),
        "resnet": torch.randn(n, c.d_resnet).abs() + shift.clamp(min=0),
        "clip_text": clip_text,
        "clip_image": torch.randn(n, c.d_clip) - shift * clip_text,
        "label": y,
    }


def head(name: str, **options: object):
    """The whole head: all steps, cross-entropy, one training step and inference."""
    c = Config(**{**SMALL, **options})
    model = Mmfnd(c)
    randomise(model)
    about = noise(model, c.dropout)
    data = posts(c, B)
    label = data.pop("label")
    file = prefixed("input", {**data, "label": label}) | prefixed("weight", weights(model))
    model.eval()
    with torch.no_grad():
        file |= prefixed("eval", model(**data))
    model.train()
    out = model(**data)
    loss = F.cross_entropy(out["logits"], label)
    loss.backward()
    file |= prefixed("train", {**out, "loss": loss}) | gradients(model, {}) | prefixed("after", statistics(model))
    save(name, file, config=asdict(c), **about)


def masks(text: str, image: str) -> dict[str, Tensor]:
    """Which posts have what, a digit a post."""
    return {"has_text": torch.tensor([d == "1" for d in text]), "has_image": torch.tensor([d == "1" for d in image])}


def masked(name: str, has: dict[str, Tensor], **options: object):
    """As `head`, with posts that lack a modality; what they lack is not a number, so that reading it would show."""
    c = Config(**{**SMALL, **options})
    model = Mmfnd(c)
    randomise(model)
    about = noise(model, c.dropout)
    data = posts(c, B)
    label = data.pop("label")
    for feature, key in (("bert", "has_text"), ("clip_text", "has_text"), ("resnet", "has_image"), ("clip_image", "has_image")):
        data[feature][~has[key]] = torch.nan
    file = prefixed("input", {**data, "label": label, **{key: t.long() for key, t in has.items()}}) | prefixed("weight", weights(model))
    model.eval()
    with torch.no_grad():
        file |= prefixed("eval", model(**data, **has))
    model.train()
    out = model(**data, **has)
    loss = F.cross_entropy(out["logits"], label)
    loss.backward()
    file |= prefixed("train", {**out, "loss": loss}) | gradients(model, {}) | prefixed("after", statistics(model))
    assert all(t.isfinite().all() for key, t in file.items() if not key.startswith("input."))
    save(name, file, config=asdict(c), **about)


def baseline(name: str, model: nn.Module, has: dict[str, Tensor], p: float = 0.0):
    """A head without branches, with and without posts that lack a modality."""
    c = Config(**SMALL)
    randomise(model)
    about = noise(model, p)
    data = posts(c, B)
    label = data.pop("label")
    file = prefixed("input", {**data, "label": label, **{key: t.long() for key, t in has.items()}}) | prefixed("weight", weights(model))
    model.eval()
    with torch.no_grad():
        file["eval.logits"] = model(data, *has.values())
    model.train()
    logits = model(data, *has.values())
    loss = F.cross_entropy(logits, label)
    loss.backward()
    file |= {"train.logits": logits, "train.loss": loss} | gradients(model, {}) | prefixed("after", statistics(model))
    save(name, file, config=asdict(c), **about)


def trajectory(name: str = "trajectory", **options: object):
    """AdamW over a few batches in turn: losses and where the weights end.

    With dropout each step has masks of its own. With `extras` the loss has class weights and label smoothing, the gradients are clipped, and the rate follows a cosine after a warm-up.
    """
    extras = options.pop("extras", False)
    c = Config(**{**SMALL, **options})
    model = Mmfnd(c)
    randomise(model)
    data = posts(c, BATCHES * B)
    file = prefixed("input", data) | prefixed("weight", weights(model))
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    of_loss, schedule, metadata = {}, None, {}
    if extras:
        of_loss = dict(weight=torch.tensor(CLASS_WEIGHTS), label_smoothing=LABEL_SMOOTHING)
        rise = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / WARM_UP, total_iters=WARM_UP - 1)
        fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS - WARM_UP)
        schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, fall], [WARM_UP])
        metadata = dict(class_weights=CLASS_WEIGHTS, label_smoothing=LABEL_SMOOTHING, warm_up=WARM_UP, clip_norm=CLIP_NORM)
    if c.dropout:
        metadata["noise"] = {"seed": NOISE["seed"]}
    losses = []
    for step in range(STEPS):
        rows = slice(step % BATCHES * B, (step % BATCHES + 1) * B)
        batch = {name: t[rows] for name, t in data.items()}
        label = batch.pop("label")
        noise(model, c.dropout, step=step)
        loss = F.cross_entropy(model(**batch)["logits"], label, **of_loss)
        optimizer.zero_grad()
        loss.backward()
        if extras:
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimizer.step()
        if schedule:
            schedule.step()
        losses.append(loss.detach())
    file |= {"losses": torch.stack(losses)} | prefixed("after", weights(model))
    save(name, file, config=asdict(c), batch=B, learning_rate=LEARNING_RATE, weight_decay=WEIGHT_DECAY, **metadata)


def schedules():
    """Learning rates of each step; what the formula in the Rust code gives for these numbers."""
    file, about = {}, {}
    for name, cosine, warm_up in (("constant", False, 0), ("warm_up", False, 5), ("cosine", True, 0), ("both", True, 5)):
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=LEARNING_RATE)
        after = STEPS - warm_up
        rest = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, after) if cosine else torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0, STEPS)
        schedule = rest
        if warm_up:
            rise = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / warm_up, total_iters=warm_up - 1)
            schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, rest], [warm_up])
        rates = []
        for _ in range(STEPS):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        file[name] = torch.tensor(rates)
        about[name] = {"cosine": cosine, "warm_up": warm_up}
    save("schedule", file, learning_rate=LEARNING_RATE, steps=STEPS, schedules=about)


def clipping():
    """Gradients before and after clip_grad_norm_, with a norm that clips and one that does not."""
    model = Projection(9, 12, 8, dropout=0.0)
    randomise(model)
    x, loss_weight = torch.randn(B, 9), torch.randn(B, 8)
    file = {"input.x": x, "loss_weight": loss_weight} | prefixed("weight", weights(model))
    model.train()
    for name, largest in (("small", 0.5), ("large", 1e3)):
        model.zero_grad()
        (loss_weight * model(x)).sum().backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), largest)
        file |= {f"{name}.norm": norm.view(1), f"{name}.largest": torch.tensor([largest])}
        file |= {f"{name}.{key}": p.grad for key, p in model.named_parameters()}
    save("clip", file)


def losses():
    """Cross-entropy with and without class weights and label smoothing, and its gradient."""
    logits, label, weight = 2 * torch.randn(B, 2), torch.arange(B) % 3 % 2, torch.tensor([0.7, 1.8])
    file = {"input.logits": logits, "input.label": label, "input.class_weight": weight}
    for name, options in (("plain", {}), ("weighted", {"weight": weight}), ("smoothed", {"label_smoothing": 0.1}), ("both", {"weight": weight, "label_smoothing": 0.1})):
        x = logits.clone().requires_grad_()
        loss = F.cross_entropy(x, label, **options)
        loss.backward()
        file |= {f"loss.{name}": loss, f"grad.{name}": x.grad}
    save("loss", file, label_smoothing=0.1)


def main():
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    parts()
    head("head")
    small = dict(experts=1, shared_experts=1)
    smaller = dict(small, levels=1)
    head("head_frozen", frozen_experts=True, **small)
    head("head_routing", routing="released", **smaller)
    head("head_similarity", similarity="learned", **smaller)
    for pooling in ("query", "last", "released"):
        head(f"head_pooling_{pooling}", pooling=pooling, **smaller)
    head("head_sum", fusion="sum", **smaller)
    head("head_classifier", classifier="released", **smaller)
    head("head_released", routing="released", similarity="learned", frozen_experts=True, pooling="released", classifier="released", **small)
    for variant in ("multimodal-only", "text-only", "image-only", "w/o A", "w/o F", "w/o C", "w/o S", "w/o P"):
        head(f"head_{variant.replace('w/o ', 'without_').replace('-', '_').lower()}", variant=variant, **small)
    trajectory()
    losses()
    schedules()
    clipping()
    trajectory("trajectory_options", extras=True, **smaller)
    mixed = masks("11101101", "10111011")
    masked("masked", mixed, **smaller)
    masked("masked_one_text", masks("00010000", "11111111"), **smaller)
    masked("masked_no_text", masks("00000000", "11111111"), **smaller)
    masked("masked_none_whole", masks("11100100", "00011011"), **smaller)
    masked("masked_sum", mixed, fusion="sum", similarity="learned", **smaller)
    masked("masked_text_only", masks("11111111", "10111011"), variant="text-only", **smaller)
    for variant in ("w/o A", "w/o F", "w/o C", "w/o P"):
        masked(f"masked_{variant.replace('w/o ', 'without_').lower()}", masks("11101111", "10111110"), variant=variant, **smaller)
    widths = dict(bert=6, clip_text=5, clip_image=5, resnet=10)
    baseline("linear", LinearProbe(3, widths, "softmax"), masks("11111111", "11111111"))
    baseline("linear_masked", LinearProbe(3, dict(resnet=10, bert=6), "query"), mixed)
    baseline("mlp", ConcatMlp(3, widths, "last", 7), mixed)
    part("projection_dropout", Projection(9, 12, 8, dropout=0.25), {"x": torch.randn(B, 9)}, p=0.25)
    head("head_dropout", dropout=0.5)
    head("head_without_p_dropout", dropout=0.3, variant="w/o P")
    masked("masked_dropout", mixed, dropout=0.5, **smaller)
    baseline("mlp_dropout", ConcatMlp(3, widths, "last", 7, dropout=0.4), mixed, p=0.4)
    trajectory("trajectory_dropout", dropout=0.5, **smaller)


if __name__ == "__main__":
    main()
