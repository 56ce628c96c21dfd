"""Loads a run into the PyTorch reference by the names of its weights, predicts, and compares with the run's own predictions.

    mmfnd features export STORE --posts POSTS.parquet --out FEATURES.parquet
    python3 tests/golden/check_run.py RUN FEATURES.parquet [POSTS.parquet]

Any head; of a run with `train.missing = "mask"` the posts are needed too, since they say which of them have a text.
Exits 1 when a probability, an attention score or a similarity differs by more than 1e-5, or is there for a post that lacks what it needs.
"""

import argparse
import json
import sys
import tomllib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from reference import ConcatMlp, Config, LinearProbe, Mmfnd, load

TOLERANCE = 1e-5
MODALITY = {"bert": "text", "clip_text": "text", "clip_image": "image", "resnet": "image"}
BRANCHES = ("attention_text", "attention_image", "attention_cross")


class Run:
    """A run directory: options, sizes of the features, predictions."""

    def __init__(self, path: Path):
        self.config = tomllib.loads((path / "config.toml").read_text())
        self.head, self.masks = self.config["head"], self.config["train"]["missing"] == "mask"
        info = json.loads((path / "run.json").read_text())
        self.sizes, self.encoders = info["sizes"], [spec["name"] for spec in info["encoders"]]
        self.weights = load_file(path / "weights.safetensors")
        self.predictions = pq.read_table(path / "predictions.parquet")
        self.post_ids = self.predictions["post_id"].to_pylist()

    def width(self, encoder: str) -> int:
        return self.sizes["clip" if encoder.startswith("clip") else encoder]

    def predicted(self, name: str) -> Tensor:
        """A column of the predictions; not a number where it is null."""
        return torch.from_numpy(self.predictions[name].to_numpy().astype(np.float32))


def presence(run: Run, table, posts: Path | None) -> dict[str, Tensor]:
    """Which of the predicted posts have a text, and which a picture, [B] each."""
    there = {"text": torch.ones(len(run.post_ids), dtype=torch.bool), "image": torch.ones(len(run.post_ids), dtype=torch.bool)}
    if run.masks:
        if posts is None:
            sys.exit("the run has masks: name its posts.parquet as the third argument, which says which posts have a text")
        text = dict(zip(*(pq.read_table(posts, columns=["post_id", "text"])[name].to_pylist() for name in ("post_id", "text"))))
        there["text"] = torch.tensor([bool(text[post_id].strip()) for post_id in run.post_ids])
        pictures = [name for name in run.encoders if MODALITY[name] == "image"]
        if pictures:
            there["image"] = torch.from_numpy(table[pictures[0]].combine_chunks().is_valid().to_numpy(zero_copy_only=False).copy())
    return there


def features(run: Run, table, there: dict[str, Tensor]) -> dict[str, Tensor]:
    """The features that the head reads, flat, one row a post; what a post lacks is not a number, so that reading it would show."""
    inputs = {}
    for name in MODALITY:
        x = torch.full((len(run.post_ids), run.width(name) * (run.sizes["layers"] if name == "bert" else 1)), torch.nan)
        if name in run.encoders:
            column, has = table[name].combine_chunks(), there[MODALITY[name]]
            values = column.filter(has.numpy()).flatten().to_numpy(zero_copy_only=False).astype(np.float32)
            x[has] = torch.from_numpy(values).view(int(has.sum()), -1)
        inputs[name] = x
    inputs["bert"] = inputs["bert"].view(len(run.post_ids), -1, max(run.sizes["bert"], 1))
    return inputs


def mmfnd(run: Run) -> Mmfnd:
    """Options from the run's config.toml, sizes of the features from its run.json."""
    head, sizes = run.head, run.sizes
    ablation = {"none": "full"} | {f"without-{x}": f"w/o {x.upper()}" for x in "afcsp"}
    config = Config(
        layers=sizes["layers"],
        d_bert=sizes["bert"],
        d_resnet=sizes["resnet"],
        d_clip=sizes["clip"],
        d_logits=sizes["resnet_classes"],
        d_hidden=head["projection_hidden"],
        d_projection=head["projection"],
        d_fusion=head["fusion_hidden"],
        d_branch=head["branch"],
        experts=head["experts"],
        shared_experts=head["shared_experts"],
        levels=head["levels"],
        dropout=head["dropout"],
        variant=ablation.get(head["ablation"], head["ablation"]),
        routing=head["routing"],
        similarity=head["similarity"],
        frozen_experts=head["trained_experts"] == "released",
        pooling=head["pooling"],
        fusion=head["fusion"],
        classifier=head["classifier"],
    )
    if config.pooling == "released":
        sys.exit("with pooling `released` a prediction depends on the other posts of its batch: there is nothing to compare")
    return Mmfnd(config)


def baseline(run: Run) -> nn.Module:
    widths = {name: run.width(name) for name in run.head["features"]}
    if run.head["kind"] == "linear":
        return LinearProbe(run.sizes["layers"], widths, run.head["pooling"])
    return ConcatMlp(run.sizes["layers"], widths, run.head["pooling"], run.head["hidden"])


def expected(run: Run, inputs: dict[str, Tensor], there: dict[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """What PyTorch says, and of which posts, by the names of the predictions."""
    text, image = there["text"], there["image"]
    all_of_them, both = torch.ones_like(text), text & image
    model = mmfnd(run) if run.head["kind"] == "mmfnd" else baseline(run)
    load(model, run.weights)
    model.eval()
    with torch.no_grad():
        if run.head["kind"] != "mmfnd":
            logits, attention = model(inputs, text, image), None
        else:
            out = model(**inputs, **({"has_text": text, "has_image": image} if run.masks else {}))
            logits, attention = out["logits"], out.get("attention")
    found = {"p_fake": (logits.softmax(dim=1)[:, 1], all_of_them)}
    if {"clip_text", "clip_image"} <= set(run.encoders):
        found["similarity"] = (F.cosine_similarity(inputs["clip_text"], inputs["clip_image"], dim=1), both)
    if attention is not None:
        found |= {name: (attention[:, i], has) for i, (name, has) in enumerate(zip(BRANCHES, (text, image, both))) if i < attention.shape[1]}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("features", type=Path)
    parser.add_argument("posts", type=Path, nargs="?")
    arguments = parser.parse_args()

    run = Run(arguments.run)
    table = pq.read_table(arguments.features, columns=["post_id", *run.encoders])
    row = {post_id: i for i, post_id in enumerate(table["post_id"].to_pylist())}
    table = table.take([row[post_id] for post_id in run.post_ids])
    there = presence(run, table, arguments.posts)
    theirs = expected(run, features(run, table, there), there)
    print(f"{len(run.post_ids)} posts, {int((~there['text']).sum())} without a text, {int((~there['image']).sum())} without a picture; {len(run.weights)} weights loaded by name")
    agree = True
    for name in ("p_fake", "similarity", *BRANCHES):
        ours, nowhere = run.predicted(name), torch.zeros(len(run.post_ids), dtype=torch.bool)
        values, has = theirs.get(name, (torch.zeros(len(run.post_ids)), nowhere))
        difference = (ours[has] - values[has]).abs().max().item() if has.any() else 0.0
        same_posts = bool((ours.isnan() == ~has).all())
        agree &= same_posts and difference <= TOLERANCE  # false for NaN
        print(f"{name}: {int(has.sum())} posts, largest difference {difference:.2e}" + ("" if same_posts else ", and null for other posts"))
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
