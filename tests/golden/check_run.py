"""Loads a run into the PyTorch reference by the names of its weights, predicts, and compares with the run's own predictions.

    mmfnd features export STORE --posts POSTS.parquet --out FEATURES.parquet
    python3 tests/golden/check_run.py RUN FEATURES.parquet

Exits 1 when a probability, an attention score or a similarity differs by more than 1e-5.
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
from torch import Tensor

from reference import Config, Mmfnd, load

TOLERANCE = 1e-5
INPUTS = ("bert", "resnet", "clip_text", "clip_image")
BRANCHES = ("attention_text", "attention_image", "attention_cross")


def features(path: Path, post_ids: list[str]) -> dict[str, Tensor]:
    """The posts' features as they were exported: flat, one row a post."""
    table = pq.read_table(path, columns=["post_id", *INPUTS])
    row = {post_id: i for i, post_id in enumerate(table["post_id"].to_pylist())}
    table = table.take([row[post_id] for post_id in post_ids])
    flat = lambda name: table[name].combine_chunks()
    absent = {name: flat(name).null_count for name in INPUTS if flat(name).null_count}
    assert not absent, f"predicted posts without features: {absent}"
    values = lambda name: flat(name).flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    return {name: torch.from_numpy(values(name).reshape(len(post_ids), -1).copy()) for name in INPUTS}


def configuration(run: Path) -> Config:
    """Options from the run's config.toml, sizes of the features from its run.json."""
    head = tomllib.loads((run / "config.toml").read_text())["head"]
    sizes = json.loads((run / "run.json").read_text())["sizes"]
    ablation = {"none": "full"} | {f"without-{x}": f"w/o {x.upper()}" for x in "afcsp"}
    return Config(
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


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("run", type=Path)
    arguments.add_argument("features", type=Path)
    arguments = arguments.parse_args()

    config = configuration(arguments.run)
    if config.pooling == "released":
        sys.exit("with pooling `released` a prediction depends on the other posts of its batch: there is nothing to compare")
    weights = load_file(arguments.run / "weights.safetensors")
    predictions = pq.read_table(arguments.run / "predictions.parquet")
    inputs = features(arguments.features, predictions["post_id"].to_pylist())
    model = Mmfnd(config)
    load(model, weights)
    model.eval()
    inputs["bert"] = inputs["bert"].view(-1, config.layers, config.d_bert)
    with torch.no_grad():
        out = model(**inputs)
    theirs = {"p_fake": out["logits"].softmax(dim=1)[:, 1], "similarity": out["similarity"]}
    for i, name in enumerate(BRANCHES):
        if "attention" in out and i < out["attention"].shape[1]:
            theirs[name] = out["attention"][:, i]
    print(f"{len(predictions)} posts, {len(weights)} weights loaded by name")
    worst = 0.0
    for name, values in theirs.items():
        if name in predictions.column_names:
            difference = np.abs(predictions[name].to_numpy() - values.numpy()).max()
            worst = max(worst, difference)
            print(f"{name}: largest difference {difference:.2e}")
    sys.exit(0 if worst <= TOLERANCE else 1)


if __name__ == "__main__":
    main()
