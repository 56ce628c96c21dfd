"""LIIMR: Singhal et al., WWW Companion 2022 (docs/heads.md, 6), with two regions."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layers import Dropout, Kind, Noise, Step, pooled, unit


class BertLayer(nn.Module):
    def __init__(self, width: int, heads: int, feed: int, p: float, place: int):
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)
        self.linear1, self.linear2 = nn.Linear(width, feed), nn.Linear(feed, width)
        self.drops = [Dropout(p, place + i) for i in range(3)]
        self.heads = heads

    def forward(self, x: Tensor, noise: Noise | None) -> Tensor:  # [B, R, D]
        b, r, width = x.shape
        cut = lambda z: z.view(b, r, self.heads, -1).transpose(1, 2)
        q, k, v = cut(self.query(x)), cut(self.key(x)), cut(self.value(x))
        a = self.drops[0]((q @ k.transpose(2, 3) / (width // self.heads) ** 0.5).softmax(3), noise)
        o = self.output((a @ v).transpose(1, 2).reshape(b, r, width))
        x = self.norm1(x + self.drops[1](o, noise))
        return self.norm2(x + self.drops[2](self.linear2(F.gelu(self.linear1(x))), noise))


class Net(nn.Module):
    steps = [Kind("all", class_weight=0.0)]

    def __init__(self, bert=768, resnet=2048, clip=512, width=128, heads=16, feed=2048, filters=512, beta=0.2, dropout=0.4, variant="paper", **_):
        super().__init__()
        self.region = nn.ModuleDict({"resnet": nn.Linear(resnet, width), "clip": nn.Linear(clip, width)})
        small = 0.1 if dropout else 0.0  # the tests without dropout have none at all
        self.attention = BertLayer(width, heads, feed, small, 0)
        self.image, self.text = nn.Linear(width, 2), nn.Linear(width, 2)
        for k in (1, 2, 3):
            setattr(self, f"conv{k}", nn.Conv1d(bert, filters, k))
        self.mapping = nn.Linear(3 * filters, width)
        self.drop_c, self.drop_t, self.drop_v = Dropout(small, 3), Dropout(dropout, 4), Dropout(dropout, 5)
        self.beta, self.released = beta, variant == "released"

    def judges(self, batch: dict, noise: Noise | None) -> tuple[Tensor, Tensor, Tensor]:
        regions = torch.stack([self.region["resnet"](batch["resnet"]), self.region["clip"](batch["clip_image"])], 1)
        v = self.attention(regions, noise).mean(1)
        lv = self.image(self.drop_v(unit(v), noise)).log_softmax(1)
        c = torch.cat([pooled(getattr(self, f"conv{k}"), batch["tokens"]) for k in (1, 2, 3)], 1)
        lt = self.text(self.drop_t(unit(self.mapping(self.drop_c(c, noise))), noise)).log_softmax(1)
        doubt = lambda log: ((1 - log.exp()) if self.released else (1 - log.exp()).detach()).clamp_min(1e-6) ** self.beta
        return doubt(lt) * lv + doubt(lv) * lt, lt, lv

    def forward(self, batch: dict) -> dict:
        logits, lt, lv = self.judges(batch, None)
        return {"logits": logits, "p_fake_text": lt.exp()[:, 1], "p_fake_image": lv.exp()[:, 1]}

    def step(self, name: str, batch: dict, noise: Noise | None, memory: dict) -> Step:
        logits, _, _ = self.judges(batch, noise)
        return Step(logits, [("judges", 1.0, -logits.gather(1, batch["label"].view(-1, 1)).mean())])
