"""What several of the ten methods are made of, in plain PyTorch. Written from docs/heads.md, not from the Rust code.

A batch is a dict: `bert` [B, L, D], `resnet`, `resnet_logits`, `clip_text`, `clip_image` [B, D] (faithful also `vgg`, `vgg_logits`, `ela`), `tokens` (a list of [T, D], a post each), and in training `label`, `picture`, `event` (-1: none), `post`.
A network has `steps` (what a batch is trained by, in this order), `step(name, batch, noise, memory)` -> Step or None, and at inference `forward(batch)` -> dict with `logits` and further columns.
"""

import math
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from dropout import chacha8  # noqa: E402

WORD = float(2**32)


@dataclass
class Noise:
    """Seed and step of a training, and which of the passes of that step: the key of a stream of numbers for each place."""

    seed: int
    step: int
    turn: int = 0

    def words(self, place: int, count: int) -> list[int]:
        return chacha8(struct.pack("<4Q", self.seed, self.step, place, self.turn), count)

    def mask(self, place: int, p: float, shape: torch.Size) -> Tensor:
        keep = 1.0 - p
        words = self.words(place, shape.numel())
        return torch.tensor([1.0 / keep if w < int(keep * 0xFFFFFFFF) else 0.0 for w in words]).view(shape)

    def normals(self, place: int, shape: torch.Size) -> Tensor:
        """Box and Muller's: of two words one number."""
        words = self.words(place, 2 * shape.numel())
        pairs = zip(words[::2], words[1::2])
        values = [math.sqrt(-2 * math.log((a + 0.5) / WORD)) * math.cos(2 * math.pi * (b + 0.5) / WORD) for a, b in pairs]
        return torch.tensor(values, dtype=torch.float64).float().view(shape)

    def draws(self, place: int, lists: list[list[int]], of: list[int], count: int) -> list[list[int]]:
        """For each entry of `of` so many different members of that list; the lists stay as the draws before left them."""
        lists = [list(members) for members in lists]
        words = iter(self.words(place, count * len(of)))
        drawn = []
        for index in of:
            members = lists[index]
            for i in range(count):
                j = i + (next(words) * (len(members) - i) >> 32)
                members[i], members[j] = members[j], members[i]
            drawn.append(members[:count])
        return drawn


@dataclass
class Step:
    """What one step of a batch says: logits (where it has them) and losses (name, weight, value)."""

    logits: Tensor | None
    losses: list[tuple[str, float, Tensor]] = field(default_factory=list)


@dataclass
class Kind:
    """One of the steps of a batch: its name, which weights it trains, and what the cross-entropy counts in it."""

    name: str = "all"
    trains: Callable[[str], bool] = lambda name: True
    class_weight: float = 1.0


class Dropout(nn.Module):
    """Dropout whose mask comes from the noise that is given; without noise none."""

    def __init__(self, p: float, place: int):
        super().__init__()
        self.p, self.place = p, place

    def forward(self, x: Tensor, noise: Noise | None) -> Tensor:
        if noise is None or self.p == 0:
            return x
        return x * noise.mask(self.place, self.p, x.shape)


class Mapping(nn.Module):
    """M4 a -> b -> c; without dropout M6."""

    def __init__(self, a: int, b: int, c: int, p: float = 0.0, place: int = 0):
        super().__init__()
        self.linear1, self.norm1, self.dropout = nn.Linear(a, b), nn.BatchNorm1d(b), Dropout(p, place)
        self.linear2, self.norm2 = nn.Linear(b, c), nn.BatchNorm1d(c)

    def forward(self, x: Tensor, noise: Noise | None = None) -> Tensor:
        x = self.dropout(F.relu(self.norm1(self.linear1(x))), noise)
        return F.relu(self.norm2(self.linear2(x)))


class NormedClassifier(nn.Module):
    """[a -> b, BN, ReLU, b -> b, BN, ReLU, b -> 2]"""

    def __init__(self, a: int, b: int):
        super().__init__()
        self.linear1, self.norm1 = nn.Linear(a, b), nn.BatchNorm1d(b)
        self.linear2, self.norm2 = nn.Linear(b, b), nn.BatchNorm1d(b)
        self.linear3 = nn.Linear(b, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.linear1(x)))
        return self.linear3(F.relu(self.norm2(self.linear2(x))))


class TwoLayers(nn.Module):
    """[a -> b, activation, dropout, b -> c]"""

    def __init__(self, a: int, b: int, c: int, activation=F.relu, p: float = 0.0, place: int = 0):
        super().__init__()
        self.linear1, self.linear2, self.dropout = nn.Linear(a, b), nn.Linear(b, c), Dropout(p, place)
        self.activation = activation

    def forward(self, x: Tensor, noise: Noise | None = None) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x)), noise))


def windows(conv: nn.Conv1d, posts: list[Tensor]) -> list[Tensor]:
    """conv over the windows of each post [T - k + 1, out]; a post shorter than the window is filled with zero rows."""
    k = conv.kernel_size[0]
    filled = [F.pad(x, (0, 0, 0, max(0, k - len(x)))) for x in posts]
    return [conv(x.T.unsqueeze(0)).squeeze(0).T for x in filled]


def pooled(conv: nn.Conv1d, posts: list[Tensor], activation=F.relu, norm: nn.BatchNorm1d | None = None) -> Tensor:
    """max over a post's windows of activation(norm(conv)), the norm over all windows of the batch.  [B, out]"""
    found = windows(conv, posts)
    if norm is not None:
        found = norm(torch.cat(found)).split([len(x) for x in found])
    return torch.stack([activation(x).amax(0) for x in found])


def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.01)


def unit(x: Tensor) -> Tensor:
    """n(x) of the methods: along the last axis."""
    return x / x.norm(dim=-1, keepdim=True).clamp_min(1e-12)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1)).clamp_min(1e-8)


def last(batch: dict) -> Tensor:
    """t: the last layer's [CLS]."""
    return batch["bert"][:, -1]


def posts(batch: dict, rows: list[int]) -> dict:
    """Some posts of a batch."""
    return {key: [x[i] for i in rows] if isinstance(x, list) else x[rows] for key, x in batch.items()}
