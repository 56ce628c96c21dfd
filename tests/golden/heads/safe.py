"""SAFE: Zhou et al., PAKDD 2020 (docs/heads.md, 3)."""

import torch
from torch import Tensor, nn

from layers import Kind, Noise, Step, TwoLayers, pooled


def disagreement(s: Tensor, y: Tensor) -> Tensor:
    """L_s: fake where text and picture disagree."""
    s = s.clamp(1e-7, 1 - 1e-7)
    return -(y * (1 - s).log() + (1 - y) * s.log()).mean()


class Net(nn.Module):
    steps = [Kind("all", class_weight=0.6)]

    def __init__(self, bert=768, resnet=2048, reduced=32, filters=128, image_hidden=256, width=32, agreement=0.4, **_):
        super().__init__()
        self.reduce = nn.Linear(bert, reduced)
        self.conv3, self.conv4 = nn.Conv1d(reduced, filters, 3), nn.Conv1d(reduced, filters, 4)
        self.text, self.image = nn.Linear(2 * filters, width), TwoLayers(resnet, image_hidden, width)
        self.classifier = nn.Linear(2 * width, 2)
        self.weight = agreement

    def both(self, batch: dict) -> tuple[Tensor, Tensor]:
        u = [self.reduce(x) for x in batch["tokens"]]
        a = self.text(torch.cat([pooled(self.conv3, u), pooled(self.conv4, u)], 1))
        b = self.image(batch["resnet"])
        s = (1 + (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-8)) / 2
        return self.classifier(torch.cat([a, b], 1)), s

    def forward(self, batch: dict) -> dict:
        logits, s = self.both(batch)
        return {"logits": logits, "agreement": s}

    def step(self, name: str, batch: dict, noise: Noise | None, memory: dict) -> Step:
        logits, s = self.both(batch)
        return Step(logits, [("agreement", self.weight, disagreement(s, batch["label"].float()))])
