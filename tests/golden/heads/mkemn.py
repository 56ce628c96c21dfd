"""MKEMN without its knowledge graph: Zhang et al., MM 2019 (docs/heads.md, 10)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layers import Kind, Noise, Step, TwoLayers, pooled
from mcnn import states


class Net(nn.Module):
    steps = [Kind()]

    def __init__(self, bert=768, resnet=2048, gru=64, image=128, filters=64, width=128, slots=32, hidden=64, dropout=0.5, **_):
        super().__init__()
        self.gru = nn.GRU(bert, gru, bidirectional=True)
        self.image = nn.Linear(resnet, image)
        for k in (1, 2, 3):
            setattr(self, f"conv{k}", nn.Conv1d(2 * gru + image, filters, k))
        self.post = nn.Linear(3 * filters, width)
        self.memory = nn.Parameter(torch.empty(slots, width).uniform_(-(width**-0.5), width**-0.5))
        self.classifier = TwoLayers(2 * width, hidden, 2, F.relu, dropout, 0)

    def logits(self, batch: dict, noise: Noise | None) -> Tensor:
        image = self.image(batch["resnet"])
        tokens = [torch.cat([h, v.expand(len(h), -1)], 1) for h, v in zip(states(self.gru, batch["tokens"]), image)]
        p = self.post(torch.cat([pooled(getattr(self, f"conv{k}"), tokens) for k in (1, 2, 3)], 1)).tanh()
        o = (p @ self.memory.T / self.memory.shape[1] ** 0.5).softmax(1) @ self.memory
        return self.classifier(torch.cat([p, o], 1), noise)

    def forward(self, batch: dict) -> dict:
        return {"logits": self.logits(batch, None)}

    def step(self, name: str, batch: dict, noise: Noise | None, memory: dict) -> Step:
        return Step(self.logits(batch, noise))
