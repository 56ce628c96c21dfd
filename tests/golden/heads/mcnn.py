"""MCNN: Xue et al., Information Processing & Management 2021 (docs/heads.md, 9); faithful with the row of tampering, of error levels."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

import torch.nn.functional as F
from layers import Dropout, Kind, Noise, Step, TwoLayers, cosine
from safe import disagreement


def states(gru: nn.GRU, posts: list[Tensor]) -> list[Tensor]:
    """Both directions over each post, packed.  [T, 2 H]"""
    packed, _ = gru(pack_sequence(posts, enforce_sorted=False))
    padded, lengths = pad_packed_sequence(packed, batch_first=True)
    return [x[:n] for x, n in zip(padded, lengths)]


class Net(nn.Module):
    steps = [Kind()]

    def __init__(self, bert=768, resnet=2048, ela=2048, gru=128, image_hidden=256, width=64, agreement=0.5, dropout=0.5, inputs="frozen", **_):
        super().__init__()
        self.gru = nn.GRU(bert, gru, bidirectional=True)
        self.score = nn.Parameter(torch.empty(2 * gru).uniform_(-((2 * gru) ** -0.5), (2 * gru) ** -0.5))
        self.key, self.text = nn.Linear(2 * gru, 2 * gru), nn.Linear(2 * gru, width)
        self.image = TwoLayers(resnet, image_hidden, width, F.relu, dropout, 0)
        self.tamper = TwoLayers(ela, image_hidden, width, F.relu, dropout, 2) if inputs == "faithful" else None
        self.weight = nn.Parameter(torch.empty(width).uniform_(-(width**-0.5), width**-0.5))
        self.query = nn.Linear(width, width)
        self.classifier = TwoLayers(width + 1, width, 2, F.relu, dropout, 1)
        self.of_agreement = agreement

    def both(self, batch: dict, noise: Noise | None) -> tuple[Tensor, Tensor]:
        attended = [(self.key(h).tanh() @ self.score).softmax(0) @ h for h in states(self.gru, batch["tokens"])]
        a = self.text(torch.stack(attended)).tanh()
        b = self.image(batch["resnet"], noise).tanh()
        s = (1 + cosine(a, b)) / 2
        e = [] if self.tamper is None else [self.tamper(batch["ela"], noise).tanh()]
        rows = torch.stack([a, b, *e], 1)  # F  [B, M, D]
        g = (self.query(rows).tanh() @ self.weight).softmax(1)
        return self.classifier(torch.cat([(g.unsqueeze(2) * rows).sum(1), s.unsqueeze(1)], 1), noise), s

    def forward(self, batch: dict) -> dict:
        logits, s = self.both(batch, None)
        return {"logits": logits, "agreement": s}

    def step(self, name: str, batch: dict, noise: Noise | None, memory: dict) -> Step:
        logits, s = self.both(batch, noise)
        return Step(logits, [("agreement", self.of_agreement, disagreement(s, batch["label"].float()))])
