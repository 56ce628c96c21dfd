"""The PyTorch references of the heads (tests/golden/heads) as someone writes them who cares for speed: posts padded to the longest one of the batch and masked, no loop over posts, PyTorch's own random numbers.

The references loop over posts, and take their masks of dropout from a generator in Python, since they are there to be read. heads.py compares what both say at inference.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden" / "heads"))

import cafe  # noqa: E402
import cmc  # noqa: E402
import eann  # noqa: E402
import layers  # noqa: E402
import liimr  # noqa: E402
import mcnn  # noqa: E402
import mkemn  # noqa: E402
import safe  # noqa: E402
from layers import Noise, Step, cosine, unit  # noqa: E402


class Random(Noise):
    """PyTorch's random numbers; steps of training are given one, inference none."""

    def __init__(self):
        super().__init__(seed=0, step=0)

    def normals(self, place: int, shape: torch.Size) -> Tensor:
        return torch.randn(shape)


def dropout(self, x: Tensor, noise: Noise | None) -> Tensor:
    return F.dropout(x, self.p) if noise is not None and self.p > 0 else x


layers.Dropout.forward = dropout


class Padded:
    """Posts of different lengths in one tensor.  `rows` [B, T, D], zero behind a post's own"""

    def __init__(self, rows: Tensor, lengths: Tensor):
        self.rows, self.lengths = rows, lengths
        self.inside = torch.arange(rows.shape[1]) < lengths.unsqueeze(1)

    @staticmethod
    def of(posts: list[Tensor]) -> "Padded":
        return Padded(pad_sequence(posts, batch_first=True), torch.tensor([len(x) for x in posts]))

    def __getitem__(self, rows: Tensor) -> "Padded":
        return Padded(self.rows[rows], self.lengths[rows])


def pooled(conv: nn.Conv1d, posts: "Padded | list[Tensor]", activation=F.relu, norm: nn.BatchNorm1d | None = None) -> Tensor:
    """max over a post's windows of activation(norm(conv)), the norm over all windows of the batch; of a list by the reference.  [B, out]"""
    if isinstance(posts, list):
        return layers.pooled(conv, posts, activation, norm)
    k = conv.kernel_size[0]
    y = conv(F.pad(posts.rows, (0, 0, 0, max(0, k - posts.rows.shape[1]))).transpose(1, 2))
    inside = (torch.arange(y.shape[2]) < (posts.lengths - k + 1).clamp_min(1).unsqueeze(1)).unsqueeze(1)
    if norm is not None:
        rows = y.transpose(1, 2)
        filled = torch.zeros_like(rows)
        filled[inside.squeeze(1)] = norm(rows[inside.squeeze(1)])
        y = filled.transpose(1, 2)
    return activation(y.masked_fill(~inside, -torch.inf).amax(2))  # activations only rise


def states(gru: nn.GRU, posts: Padded) -> Tensor:
    """[B, T, 2 H]"""
    packed, _ = gru(pack_padded_sequence(posts.rows, posts.lengths, batch_first=True, enforce_sorted=False))
    return pad_packed_sequence(packed, batch_first=True)[0]


for module in (eann, cafe, liimr, safe, mkemn):
    module.pooled = pooled


class Safe(safe.Net):
    def both(self, batch: dict) -> tuple[Tensor, Tensor]:
        posts = batch["tokens"]
        u = Padded(self.reduce(posts.rows) * posts.inside.unsqueeze(2), posts.lengths)
        a = self.text(torch.cat([pooled(self.conv3, u), pooled(self.conv4, u)], 1))
        b = self.image(batch["resnet"])
        s = (1 + (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-8)) / 2
        return self.classifier(torch.cat([a, b], 1)), s


class Cafe(cafe.Net):
    def step(self, name: str, batch: dict, noise: Noise | None, memory: dict) -> Step | None:
        if name == "detect":
            return Step(self.detect(batch, noise)[0])
        real = (batch["label"] == 0).nonzero().squeeze(1)
        if len(real) < 4:
            return None
        t, v = self.align({key: x[real] for key, x in batch.items()}, noise)
        differs = batch["picture"][real] != batch["picture"][real].roll(3)
        apart = cosine(t, v.roll(3, 0)).clamp_min(0)[differs]
        return Step(None, [("align", 1.0, torch.cat([1 - cosine(t, v), apart]).mean())])


class Mcnn(mcnn.Net):
    def both(self, batch: dict, noise: Noise | None) -> tuple[Tensor, Tensor]:
        posts = batch["tokens"]
        h = states(self.gru, posts)
        scores = (self.key(h).tanh() @ self.score).masked_fill(~posts.inside, -torch.inf)
        a = self.text((scores.softmax(1).unsqueeze(1) @ h).squeeze(1)).tanh()
        b = self.image(batch["resnet"], noise).tanh()
        s = (1 + cosine(a, b)) / 2
        rows = torch.stack([a, b], 1)
        g = (self.query(rows).tanh() @ self.weight).softmax(1)
        return self.classifier(torch.cat([(g.unsqueeze(2) * rows).sum(1), s.unsqueeze(1)], 1), noise), s


class Mkemn(mkemn.Net):
    def logits(self, batch: dict, noise: Noise | None) -> Tensor:
        posts = batch["tokens"]
        h = states(self.gru, posts)
        image = self.image(batch["resnet"]).unsqueeze(1).expand(-1, h.shape[1], -1) * posts.inside.unsqueeze(2)
        tokens = Padded(torch.cat([h, image], 2), posts.lengths)
        p = self.post(torch.cat([pooled(getattr(self, f"conv{k}"), tokens) for k in (1, 2, 3)], 1)).tanh()
        o = (p @ self.memory.T / self.memory.shape[1] ** 0.5).softmax(1) @ self.memory
        return self.classifier(torch.cat([p, o], 1), noise)


class Cmc(cmc.Net):
    def contrasts(self, batch: dict, qt: Tensor, qv: Tensor, noise: Noise, memory: dict) -> Tensor:
        classes, n, own = memory["classes"], len(memory["text"]), batch["post"]
        k = min(self.negatives, *(len(members) for members in classes))
        drawn = torch.empty(len(own), k, dtype=torch.long)
        for label, members in enumerate(classes):
            rows = (batch["label"] != label).nonzero().squeeze(1)
            drawn[rows] = members[torch.rand(len(rows), len(members)).topk(k, sorted=False).indices]
        index = torch.cat([own.unsqueeze(1), drawn], 1)  # [B, K + 1]
        kappa, total = k / n, 0
        for mode, q, bank in (("image", qv, memory["text"]), ("text", qt, memory["image"])):
            e = (torch.bmm(bank[index], q.unsqueeze(2)).squeeze(2) / cmc.TEMPERATURE).exp()
            if f"scale_{mode}" not in memory:
                memory[f"scale_{mode}"] = n * e.mean().detach()
            p = e / memory[f"scale_{mode}"]
            total = total + (-(p[:, 0] / (p[:, 0] + kappa)).log() - (kappa / (p[:, 1:] + kappa)).log().sum(1)).mean()
        for name, q in (("text", qt), ("image", qv)):
            memory[name][own] = unit((memory[name][own] + q.detach()) / 2)
        return total


NETS = {"safe": Safe, "cafe": Cafe, "mcnn": Mcnn, "mkemn": Mkemn, "cmc": Cmc}
