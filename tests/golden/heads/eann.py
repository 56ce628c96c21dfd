"""EANN: Wang et al., KDD 2018 (docs/heads.md, 2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layers import Kind, Noise, Step, TwoLayers, leaky, pooled


class Reverse(torch.autograd.Function):
    """Identity; the gradient times -lambda."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return -ctx.weight * gradient, None


class Net(nn.Module):
    steps = [Kind()]

    def __init__(self, bert=768, resnet_classes=1000, vgg_classes=1000, events=2, filters=20, hidden=32, reversal=1.0, variant="paper", inputs="frozen", **_):
        super().__init__()
        self.logits, classes = ("vgg_logits", vgg_classes) if inputs == "faithful" else ("resnet_logits", resnet_classes)
        for k in (1, 2, 3, 4):
            setattr(self, f"conv{k}", nn.Conv1d(bert, filters, k))
        self.text, self.image = nn.Linear(4 * filters, hidden), nn.Linear(classes, hidden)
        self.classifier = nn.Linear(2 * hidden, 2)
        # 22: as released the slope is 1, and both cross-entropies read what a softmax made
        self.released = variant == "released"
        self.leaky = (lambda x: x) if self.released else leaky
        self.event = TwoLayers(2 * hidden, hidden, events, self.leaky)
        self.reversal = reversal

    def features(self, batch: dict) -> Tensor:
        c = torch.cat([pooled(getattr(self, f"conv{k}"), batch["tokens"], self.leaky) for k in (1, 2, 3, 4)], 1)
        return torch.cat([self.leaky(self.text(c)), self.leaky(self.image(batch[self.logits]))], 1)

    def forward(self, batch: dict) -> dict:
        return {"logits": self.classifier(self.features(batch))}

    def step(self, name: str, batch: dict, noise: Noise | None, memory: dict) -> Step:
        z = self.features(batch)
        output = (lambda x: x.softmax(1)) if self.released else (lambda x: x)
        e = output(self.event(Reverse.apply(z, self.reversal)))
        known = batch["event"] >= 0
        event = F.cross_entropy(e[known], batch["event"][known]) if known.any() else torch.zeros(())
        return Step(output(self.classifier(z)), [("event", 1.0, event)])
