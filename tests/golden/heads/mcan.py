"""MCAN: Wu et al., Findings of ACL 2021 (docs/heads.md, 5), over the four standard columns."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layers import Dropout, Kind, Noise, Step, TwoLayers, last


class Single(nn.Module):
    def __init__(self, d: int, width: int, p: float, place: int):
        super().__init__()
        self.linear, self.norm, self.dropout = nn.Linear(d, width), nn.BatchNorm1d(width), Dropout(p, place)

    def forward(self, x: Tensor, noise: Noise | None) -> Tensor:
        return self.norm(self.dropout(F.relu(self.linear(x)), noise))


class Attention(nn.Module):
    """Co-attention of numbers: each of the `width` numbers of a vector is a token of width 1."""

    def __init__(self, width: int, feed: int, heads: int, released: bool, p: float, place: int):
        super().__init__()
        for name, bound in (("query", 1), ("key", 1), ("value", 1), ("output", width**-0.5)):
            setattr(self, name, nn.Parameter(torch.empty(width).uniform_(-bound, bound)))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.linear1, self.linear2 = nn.Linear(width, feed), nn.Linear(feed, width)
        self.drops = [Dropout(p, place + i) for i in range(3)]
        self.heads, self.released = heads, released

    def mix(self, x: Tensor, y: Tensor, noise: Noise | None) -> Tensor:
        b, width = x.shape
        d = width // self.heads
        q, k, v = (z.unsqueeze(2) * w for z, w in ((x, self.query), (y, self.key), (y, self.value)))  # [B, tokens, width]
        # 27: as released the projected tokens are reshaped without a transpose, so that head h sees numbers d h to d h + d - 1
        cut = (lambda z: z.reshape(b, self.heads, -1, d)) if self.released else (lambda z: z.reshape(b, width, self.heads, d).transpose(1, 2))
        q, k, v = cut(q), cut(k), cut(v)
        scale = 4.0 if self.released else d**0.5
        a = self.drops[0]((q @ k.transpose(2, 3) / scale).softmax(3), noise)
        o = a @ v
        o = o.reshape(b, width, width) if self.released else o.transpose(1, 2).reshape(b, width, width)
        return o @ self.output

    def forward(self, x: Tensor, y: Tensor, noise: Noise | None) -> Tensor:
        u = self.norm1(x + self.drops[1](self.mix(x, y, noise), noise))
        return self.norm2(u + self.drops[2](self.linear2(F.relu(self.linear1(u))), noise))


class Layer(nn.Module):
    def __init__(self, width: int, feed: int, heads: int, released: bool, p: float, place: int):
        super().__init__()
        attention = lambda place: Attention(width, feed, heads, released, p, place)
        self.attention1, self.attention2, self.linear = attention(place), attention(place + 3), nn.Linear(2 * width, width)

    def forward(self, x: Tensor, y: Tensor, noise: Noise | None) -> Tensor:
        return self.linear(torch.cat([self.attention1(x, y, noise), self.attention2(y, x, noise)], 1))


class Net(nn.Module):
    steps = [Kind()]

    def __init__(self, bert=768, resnet=2048, clip=512, width=256, feed=2048, heads=4, hidden=35, dropout=0.5, variant="paper", **_):
        super().__init__()
        released = variant == "released"
        self.text, self.image, self.second = (Single(d, width, dropout, i) for i, d in enumerate((bert, resnet, clip)))
        # the two layers are used twice; in their second use the places of dropout are others
        self.layers = nn.ModuleList(Layer(width, feed, heads, released, dropout, 10 + 10 * i) for i in range(2))
        self.classifier = TwoLayers(width, hidden, 2, F.relu, dropout, 3)

    def logits(self, batch: dict, noise: Noise | None) -> Tensor:
        x = self.image(batch["resnet"], noise)
        for turn, other in enumerate((self.second(batch["clip_image"], noise), self.text(last(batch), noise))):
            at = noise and Noise(noise.seed, noise.step, noise.turn + turn)
            for layer in self.layers:
                x = layer(x, other, at)
        return self.classifier(x, noise)

    def forward(self, batch: dict) -> dict:
        return {"logits": self.logits(batch, None)}

    def step(self, name: str, batch: dict, noise: Noise | None, memory: dict) -> Step:
        return Step(self.logits(batch, noise))
